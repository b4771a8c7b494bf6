// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"libcanary.example/canary"
)

// halfway is at 50 %: alice (bucket 178) is new, user-1 (bucket 5280) old.
func halfway(t testing.TB, options *canary.Options) *canary.Rollout {
	return rolloutAt(t, "", 50*canary.Percent, options)
}

// figures are what a reader is told after a flush.
func figures(t testing.TB, rollout *canary.Rollout, query canary.Query) canary.Metrics {
	t.Helper()
	if err := rollout.Flush(background); err != nil {
		t.Fatal(err)
	}
	return must(rollout.Metrics(background, query))(t)
}

func row(t testing.TB, metrics canary.Metrics, name string) canary.MetricRow {
	t.Helper()
	found, ok := metrics.Row(name)
	if !ok {
		t.Fatalf("there is no row of %s", name)
	}
	return found
}

func rejected(t testing.TB, rollout *canary.Rollout) map[canary.Cause]uint64 {
	t.Helper()
	return must(rollout.Recording())(t).Rejected
}

func counted(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("not counted: %v", err)
	}
}

func TestAnOutcomeOfADecision(t *testing.T) {
	half := halfway(t, nil)
	fresh, old := half.Explain("alice"), half.Explain("user-1")
	counted(t, half.Record(fresh, canary.Outcome{}))
	counted(t, half.Record(fresh, canary.Outcome{Status: canary.StatusError, Duration: 250 * time.Millisecond}))
	counted(t, half.Record(old, canary.Outcome{Status: canary.StatusTimeout, Duration: 2 * time.Second}))
	counted(t, half.Expose(half.Explain("bob")))
	found := figures(t, half, canary.Query{})
	if len(found.Rows) != 3 || found.Rows[0].Metric != "error" || found.Rows[2].Metric != "duration" {
		t.Fatalf("%+v", found.Rows)
	}
	failed, late, duration := found.Rows[0], found.Rows[1], found.Rows[2]
	if failed.New.N != 2 || failed.New.K != 1 || failed.New.Rate != 0.5 || failed.Old.N != 1 || failed.Old.K != 0 {
		t.Errorf("error: %+v", failed)
	}
	if late.Old.Rate != 1 || late.New.K != 0 || late.Kind != canary.KindProportion {
		t.Errorf("timeout: %+v", late)
	}
	if duration.New.N != 1 || duration.New.Sum != 0.25 || duration.Unit != "seconds" || duration.Old.Mean != 2 ||
		math.Abs(duration.New.P99/0.25-1) > 0.008 || !math.IsNaN(duration.Old.Rate) {
		t.Errorf("duration: %+v", duration)
	}
	shown := must(half.Exposure(background, canary.Query{}))(t)
	if !reflect.DeepEqual(shown.DecisionsNew, map[canary.Reason]uint64{canary.ReasonSplit: 3}) ||
		!reflect.DeepEqual(shown.DecisionsOld, map[canary.Reason]uint64{canary.ReasonSplit: 1}) ||
		shown.UsersNew != 2 || shown.UsersOld != 1 || shown.UsersTotal != 3 || !shown.Exact {
		t.Errorf("exposure: %+v", shown)
	}
	info := must(half.Recording())(t)
	if info.Outcomes != 3 || info.Decisions != 4 || info.Merged != 3 || !info.Recording || info.Threads < 1 ||
		info.LastError != nil || info.FlushedAt.IsZero() || info.RejectedTotal() != 0 {
		t.Errorf("recording: %+v", info)
	}
}

func TestTheCohortThatWasServedCounts(t *testing.T) {
	half := halfway(t, nil)
	decision := half.Explain("alice")
	must(half.Store().Rollback(background, "r", 0))(t)
	counted(t, half.Record(decision, canary.Outcome{}))
	if n := row(t, figures(t, half, canary.Query{}), "error").New.N; n != 1 {
		t.Errorf("%d new", n)
	}
}

func TestAnOutcomeOfAUserAndOfACohort(t *testing.T) {
	half := halfway(t, nil)
	for _, isNew := range []bool{true, false} {
		counted(t, half.RecordUser("alice", isNew, canary.Outcome{}))
		counted(t, half.RecordUser("a\x00b", isNew, canary.Outcome{Status: canary.StatusError}))
		counted(t, half.RecordCohort(isNew, canary.Outcome{Duration: time.Millisecond}))
	}
	if err := half.RecordUser("", false, canary.Outcome{}); !errors.Is(err, canary.ErrInvalid) {
		t.Errorf("nobody: %v", err)
	}
	found := row(t, figures(t, half, canary.Query{}), "error")
	if found.New.N != 3 || found.New.K != 1 || found.Old.N != 3 || found.Old.K != 1 {
		t.Errorf("%+v", found)
	}
	shown := must(half.Exposure(background, canary.Query{}))(t)
	if shown.UsersNew != 2 || shown.UsersTotal != 2 || shown.DecisionsNew[0] != 3 {
		t.Errorf("%+v", shown)
	}
}

func TestNobodyGotTheOldPathAndCounts(t *testing.T) {
	half := halfway(t, nil)
	counted(t, half.Record(half.Explain(""), canary.Outcome{Status: canary.StatusError}))
	found := row(t, figures(t, half, canary.Query{}), "error")
	if found.Old.K != 1 || must(half.Exposure(background, canary.Query{}))(t).UsersTotal != 0 {
		t.Errorf("%+v", found)
	}
}

// metrics are one of each kind.
func metrics(t testing.TB, rollout *canary.Rollout) {
	t.Helper()
	for _, metric := range []canary.Metric{
		{Name: "cache_hit", Kind: canary.KindProportion},
		{Name: "cost", Kind: canary.KindValue, Unit: "usd", Resolution: 0.001, Maximum: math.Inf(1)},
		{Name: "quality", Kind: canary.KindScore, Maximum: 5},
		{Name: "query", Kind: canary.KindDuration, Thresholds: []time.Duration{time.Second, 100 * time.Millisecond}},
		{Name: "f1", Kind: canary.KindClassification},
		{Name: "duration", Kind: canary.KindDuration, Thresholds: []time.Duration{500 * time.Millisecond}},
	} {
		for range 2 { // the same again is no error
			if err := rollout.Declare(metric); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	for i := range 4 {
		counted(t, half.Record(half.Explain("alice"), canary.Outcome{
			Duration: time.Duration(i+1) * 200 * time.Millisecond,
			Values: []canary.Value{
				canary.Hit("cache_hit", i > 0), canary.Number("cost", 0.25), canary.Number("quality", float64(i)),
				canary.Took("query", time.Duration(i)*500*time.Millisecond), canary.Classified("f1", 9, 1, 1, 2*i),
			}}))
	}
	counted(t, half.RecordUser("bob", false, canary.Outcome{Values: []canary.Value{canary.Number("cost", 1)}}))
	counted(t, half.RecordCohort(false, canary.Outcome{Values: []canary.Value{canary.Number("cost", 2)}}))
	found := figures(t, half, canary.Query{})
	if hit := row(t, found, "cache_hit"); hit.New.K != 3 || hit.New.Rate != 0.75 {
		t.Errorf("%+v", hit)
	}
	cost := row(t, found, "cost")
	if cost.Unit != "usd" || cost.New.Sum != 1 || cost.New.N != 4 || cost.Old.Sum != 3 || cost.Old.Maximum != 2 {
		t.Errorf("%+v", cost)
	}
	if quality := row(t, found, "quality"); quality.New.Mean != 1.5 || quality.New.Minimum != 0 {
		t.Errorf("%+v", quality)
	}
	query := row(t, found, "query")
	if !reflect.DeepEqual(query.New.Above, []canary.Above{{100 * time.Millisecond, 4, 3}, {time.Second, 4, 1}}) ||
		query.New.Above[1].Rate() != 0.25 {
		t.Errorf("%+v", query)
	}
	if f1 := row(t, found, "f1").New; f1.TP != 36 || f1.TN != 12 || math.Abs(f1.F1-0.9) > 1e-12 || f1.N != 56 {
		t.Errorf("%+v", f1)
	}
	if above := row(t, found, "duration").New.Above; len(above) != 1 || above[0].Above != 2 {
		t.Errorf("%+v", above)
	}
	if one := must(half.Metrics(background, canary.Query{Metric: "cost"}))(t); len(one.Rows) != 1 {
		t.Errorf("%+v", one.Rows)
	}
	if len(rejected(t, half)) != 0 {
		t.Error(rejected(t, half))
	}
}

func TestWrongValuesAreRejectedAndVisible(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	decision := half.Explain("alice")
	outcomes := uint64(0)
	want := map[canary.Cause]uint64{}
	try := func(cause canary.Cause, err error) {
		t.Helper()
		if !errors.Is(err, canary.ErrInvalid) {
			t.Errorf("%v: %v", cause, err)
		}
		want[cause]++
		info := must(half.Recording())(t)
		if !reflect.DeepEqual(info.Rejected, want) || info.Outcomes != outcomes {
			t.Errorf("%v: %v and %d outcomes, want %v and %d", cause, info.Rejected, info.Outcomes, want, outcomes)
		}
	}
	for _, duration := range []time.Duration{-1, math.MinInt64, 73 * time.Hour, math.MaxInt64} {
		try(canary.RejectedDuration, half.Record(decision, canary.Outcome{Duration: duration}))
	}
	try(canary.RejectedDuration, half.Record(decision, canary.Outcome{Status: canary.StatusNone, Duration: 1}))
	for _, status := range []canary.Status{3, -2, 1 << 32, math.MinInt64} {
		try(canary.RejectedStatus, half.Record(decision, canary.Outcome{Status: status}))
	}
	for _, reason := range []canary.Reason{-1, 99, 1<<32 + 7} {
		made := decision
		made.Reason = reason
		try(canary.RejectedArgument, half.Record(made, canary.Outcome{}))
		try(canary.RejectedArgument, half.Expose(made))
	}
	// The rest of an outcome counts.
	for _, wrong := range []struct {
		cause canary.Cause
		value canary.Value
	}{
		{canary.RejectedUndeclared, canary.Number("none", 1)},
		{canary.RejectedUndeclared, canary.Took("duration", 1)},
		{canary.RejectedUndeclared, canary.Value{}},
		{canary.RejectedNumber, canary.Number("cost", math.NaN())},
		{canary.RejectedNumber, canary.Number("cost", math.Inf(1))},
		{canary.RejectedRange, canary.Number("cost", -1)},
		{canary.RejectedRange, canary.Number("quality", 6)},
		{canary.RejectedDuration, canary.Took("query", -1)},
		{canary.RejectedKind, canary.Took("cost", 1)},
		{canary.RejectedKind, canary.Number("query", 1)},
		{canary.RejectedKind, canary.Number("cache_hit", 1)},
		{canary.RejectedKind, canary.Hit("quality", true)},
		{canary.RejectedKind, canary.Hit("f1", false)},
		{canary.RejectedKind, canary.Classified("cost", 1, 0, 0, 0)},
		{canary.RejectedKind, canary.Classified("f1", 0, 0, 0, 0)},
		{canary.RejectedKind, canary.Classified("f1", 1, -1, 0, 0)},
		{canary.RejectedKind, canary.Classified("f1", 1, 0, 1<<32, 0)},
	} {
		outcomes++
		try(wrong.cause, half.Record(decision, canary.Outcome{Values: []canary.Value{
			canary.Hit("cache_hit", true), wrong.value}}))
	}
	if hit := row(t, figures(t, half, canary.Query{}), "cache_hit"); hit.New.N != outcomes {
		t.Errorf("%+v", hit)
	}
	if total := must(half.Recording())(t).RejectedTotal(); total != must(half.Metrics(background, canary.Query{}))(t).Rejected {
		t.Errorf("%d are not what is read", total)
	}
}

func TestDeclaring(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	for _, wrong := range []struct {
		metric canary.Metric
		code   canary.Code
	}{
		{canary.Metric{Name: "cost", Kind: canary.KindValue, Unit: "eur"}, canary.ErrConflict},
		{canary.Metric{Name: "Cost", Kind: canary.KindValue}, canary.ErrInvalid},
		{canary.Metric{Name: "", Kind: canary.KindValue}, canary.ErrInvalid},
		{canary.Metric{Name: "a\x00b", Kind: canary.KindValue}, canary.ErrInvalid},
		{canary.Metric{Name: "x"}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: 1 << 32}, canary.ErrInvalid},
		{canary.Metric{Name: "error", Kind: canary.KindProportion}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindScore}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindScore, Maximum: math.Inf(1)}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindValue, Minimum: 1, Maximum: 1}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindValue, Maximum: math.NaN()}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindValue, Thresholds: []time.Duration{1}}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindDuration, Thresholds: []time.Duration{-1}}, canary.ErrInvalid},
		{canary.Metric{Name: "x", Kind: canary.KindDuration, Thresholds: make([]time.Duration, 9)}, canary.ErrInvalid},
	} {
		if err := half.Declare(wrong.metric); !errors.Is(err, wrong.code) || !strings.Contains(err.Error(), "declare") {
			t.Errorf("%+v: %v", wrong.metric, err)
		}
	}
	if err := half.Declare(canary.Metric{Name: "debt", Kind: canary.KindValue, Minimum: math.Inf(-1)}); err != nil {
		t.Error(err)
	}
	many := []canary.Value{canary.Number("debt", -1e6)}
	for i := range 26 {
		name := fmt.Sprint("metric_", i)
		if err := half.Declare(canary.Metric{Name: name, Kind: canary.KindProportion}); err != nil {
			t.Error(err)
		}
		many = append(many, canary.Hit(name, true))
	}
	if err := half.Declare(canary.Metric{Name: "too_many", Kind: canary.KindProportion}); !errors.Is(err, canary.ErrRefused) {
		t.Error(err)
	}
	// More than one outcome has room for; and none of them where the outcome is refused.
	counted(t, half.Record(half.Explain("alice"), canary.Outcome{Values: append(many, many...)}))
	counted(t, half.RecordUser("alice", true, canary.Outcome{Values: append(many, many...)}))
	found := figures(t, half, canary.Query{})
	if n := row(t, found, "metric_25").New.N; n != 4 || row(t, found, "error").New.N != 2 {
		t.Errorf("%d", n)
	}
	if err := half.RecordCohort(true, canary.Outcome{Duration: -1, Values: many}); !errors.Is(err, canary.ErrInvalid) {
		t.Error(err)
	}
	if n := row(t, figures(t, half, canary.Query{}), "metric_25").New.N; n != 4 {
		t.Errorf("%d values of an outcome that was refused", n-4)
	}
}

func TestValuesWithoutAnOutcome(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	counted(t, half.Record(half.Explain("alice"), canary.Outcome{Status: canary.StatusNone,
		Values: []canary.Value{canary.Hit("cache_hit", true)}}))
	counted(t, half.RecordCohort(true, canary.Outcome{Status: canary.StatusNone,
		Values: []canary.Value{canary.Hit("cache_hit", false)}}))
	found := figures(t, half, canary.Query{})
	if hit := row(t, found, "cache_hit"); hit.New.N != 2 || hit.New.K != 1 {
		t.Errorf("%+v", hit)
	}
	if info := must(half.Recording())(t); info.Outcomes != 0 || info.Decisions != 0 {
		t.Errorf("%+v", info)
	}
}

func TestRecordingNowhere(t *testing.T) {
	var none *canary.Rollout
	closed := halfway(t, nil)
	early := closed.Start(background, "alice")
	decision := closed.Explain("alice")
	closed.Close()
	one := []canary.Value{canary.Number("x", 1)}
	for _, err := range []error{
		none.Record(decision, canary.Outcome{}), none.RecordUser("alice", true, canary.Outcome{}),
		none.RecordCohort(true, canary.Outcome{}), none.Expose(decision), none.Flush(background),
		none.Declare(canary.Metric{Name: "x", Kind: canary.KindValue}), none.WriteOpenMetrics(nil),
		closed.Record(decision, canary.Outcome{}), closed.RecordUser("alice", true, canary.Outcome{}),
		closed.RecordCohort(true, canary.Outcome{}), closed.Expose(decision),
		closed.Record(decision, canary.Outcome{Values: one}),
		closed.Declare(canary.Metric{Name: "x", Kind: canary.KindValue}),
	} {
		if !errors.Is(err, canary.ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
	if _, err := closed.Recording(); !errors.Is(err, canary.ErrClosed) {
		t.Error(err)
	}
	for _, request := range []*canary.Request{nil, none.Start(background, "alice"), early,
		closed.Start(background, "alice")} {
		request.Measure(one...)
		request.SetStatus(canary.StatusOK)
		request.End(nil)
		request.Discard()
		if request != early && (request.New() || request.Decision().Reason != canary.ReasonInvalid) {
			t.Errorf("%v", request.Decision())
		}
	}
}

// -- what it costs

var sink error

func TestRecordingAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	half := halfway(t, nil)
	metrics(t, half)
	decision := half.Explain("alice")
	failed := errors.New("no")
	for name, call := range map[string]func(){
		"Record": func() { sink = half.Record(decision, canary.Outcome{Duration: time.Millisecond}) },
		"Record with values": func() {
			sink = half.Record(decision, canary.Outcome{Values: []canary.Value{
				canary.Number("cost", 1), canary.Hit("cache_hit", true)}})
		},
		"Record of what is rejected": func() { sink = half.Record(decision, canary.Outcome{Duration: -1}) },
		"RecordUser":                 func() { sink = half.RecordUser("alice", true, canary.Outcome{}) },
		"RecordCohort":               func() { sink = half.RecordCohort(true, canary.Outcome{}) },
		"Expose":                     func() { sink = half.Expose(decision) },
		"Start and End":              func() { half.Start(background, "alice").End(nil) },
		"Start, Measure and a deferred End": func() {
			err := failed
			request := half.Start(background, "alice")
			defer request.End(&err)
			request.Measure(canary.Number("cost", 1), canary.Hit("cache_hit", true))
			err = nil
		},
	} {
		if got := testing.AllocsPerRun(1000, call); got != 0 {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
}

// -- many

func TestManyGoroutinesRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canary.db")
	store := must(canary.OpenStore(background, path, &canary.Options{Create: true}))(t)
	defer store.Close()
	must(store.Create(background, canary.Spec{Name: "r"}))(t)
	must(store.SetPercentage(background, "r", 50*canary.Percent))(t)
	rollout := must(store.Rollout(background, "r", nil))(t)
	defer rollout.Close()
	if err := rollout.Declare(canary.Metric{Name: "cost", Kind: canary.KindValue}); err != nil {
		t.Fatal(err)
	}
	const goroutines, each = 50, 400
	var group sync.WaitGroup
	for g := range goroutines {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range each {
				user := fmt.Sprint("user-", g, "-", i)
				counted(t, rollout.Record(rollout.Explain(user), canary.Outcome{Duration: time.Millisecond,
					Values: []canary.Value{canary.Number("cost", 0.1)}}))
				if i%100 == 0 {
					counted(t, store.Flush(background))
				}
			}
		}()
	}
	group.Wait()
	found := figures(t, rollout, canary.Query{})
	failed, duration, cost := row(t, found, "error"), row(t, found, "duration"), row(t, found, "cost")
	const all = goroutines * each
	if failed.New.N+failed.Old.N != all || math.Abs(duration.New.Sum+duration.Old.Sum-all/1000) > 1e-9 ||
		math.Abs(cost.New.Sum+cost.Old.Sum-all/10) > 1e-6 {
		t.Errorf("%+v", found.Rows)
	}
	shown := must(rollout.Exposure(background, canary.Query{}))(t)
	if math.Abs(shown.UsersTotal-all) > 5*shown.UsersTotalError+1 {
		t.Errorf("%v users +- %v", shown.UsersTotal, shown.UsersTotalError)
	}
}

// Threads that end, and more of them at once than can have memory of their own.
func TestThreadsThatEnd(t *testing.T) {
	const threads, each = 200, 50
	rollout := halfway(t, nil)
	decision := rollout.Explain("alice")
	for range 2 {
		var group, begun sync.WaitGroup
		begun.Add(threads)
		for range threads {
			group.Add(1)
			go func() {
				defer group.Done()
				runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
				for i := range each {
					counted(t, rollout.Record(decision, canary.Outcome{Duration: time.Second}))
					if i == 0 {
						begun.Done()
						begun.Wait()
					}
				}
			}()
		}
		group.Wait()
	}
	if info := must(rollout.Recording())(t); info.Threads != 128 || !info.Sharing {
		t.Errorf("%+v", info)
	}
	if duration := row(t, figures(t, rollout, canary.Query{}), "duration").New; duration.N != 2*threads*each ||
		duration.Sum != 2*threads*each {
		t.Errorf("%+v", duration)
	}
}

// Closing waits for who records, and loses nothing.
func TestRecordingWhileClosing(t *testing.T) {
	for range 20 {
		store := memory(t, nil)
		must(store.Create(background, canary.Spec{Name: "r"}))(t)
		rollout := must(store.Rollout(background, "r", nil))(t)
		decision := rollout.Explain("alice")
		var group sync.WaitGroup
		counts := make([]uint64, 8)
		begun := make(chan struct{}, len(counts))
		for i := range counts {
			group.Add(1)
			go func() {
				defer group.Done()
				begun <- struct{}{}
				for rollout.Record(decision, canary.Outcome{}) == nil {
					counts[i]++
				}
			}()
		}
		for range counts {
			<-begun
		}
		rollout.Close()
		group.Wait()
		var all uint64
		for _, count := range counts {
			all += count
		}
		found := must(store.Metrics(background, "r", canary.Query{}))(t)
		if failed, _ := found.Row("error"); failed.Old.N != all {
			t.Errorf("%d of %d", failed.Old.N, all)
		}
	}
}
