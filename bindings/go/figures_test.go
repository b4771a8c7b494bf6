// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libcanary.example/canary"
)

// sunday is the begin of an hour of a Sunday. What is flushed on a mark belongs to the tick before it,
// so the tests are within one.
var sunday = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const within = 5 * time.Second

func TestFiguresByTime(t *testing.T) {
	clock := canary.NewClock(sunday.Add(within))
	half := halfway(t, (&canary.Options{}).WithClock(clock))
	for i := range 6 { // a minute apart
		clock.Set(sunday.Add(time.Duration(i)*time.Minute + within))
		for range i + 1 {
			counted(t, half.RecordCohort(true, canary.Outcome{}))
		}
		if err := half.Flush(background); err != nil {
			t.Fatal(err)
		}
	}
	count := func(query canary.Query) (n []uint64) {
		t.Helper()
		for _, row := range must(half.Metrics(background, query))(t).Rows {
			if row.Metric == "error" {
				n = append(n, row.New.N)
			}
		}
		return n
	}
	for _, c := range []struct {
		query canary.Query
		want  []uint64
	}{
		{canary.Query{}, []uint64{21}},
		{canary.Query{From: sunday.Add(2 * time.Minute), To: sunday.Add(4 * time.Minute)}, []uint64{7}},
		{canary.Query{Window: 90 * time.Second}, []uint64{11}},
		{canary.Query{Window: 90 * time.Second, To: sunday.Add(2 * time.Minute)}, []uint64{2}},
		{canary.Query{Step: 2 * time.Minute}, []uint64{3, 7, 11}},
		{canary.Query{Metric: "duration"}, nil},
		{canary.Query{From: sunday.Add(time.Hour)}, nil},
	} {
		got := count(c.query)
		if len(got) != len(c.want) {
			t.Errorf("%+v: %v", c.query, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%+v: %v", c.query, got)
			}
		}
	}
	found := must(half.Metrics(background, canary.Query{Step: 2 * time.Minute}))(t)
	if first := found.Rows[0]; !first.From.Equal(sunday) || !first.To.Equal(sunday.Add(2*time.Minute)) {
		t.Errorf("%v to %v", first.From, first.To)
	}
	if !found.From.Equal(sunday) || !found.LastAt.Equal(sunday.Add(5*time.Minute+within)) || found.Damaged != 0 {
		t.Errorf("%+v", found)
	}
	for _, wrong := range []canary.Query{
		{Window: -1}, {Window: 1, From: sunday}, {From: time.Unix(-1, 0)}, {To: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Step: time.Second}, {Metric: "a\x00b"},
	} {
		if _, err := half.Metrics(background, wrong); !errors.Is(err, canary.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if _, err := half.Store().Metrics(background, "none", canary.Query{}); !errors.Is(err, canary.ErrNotFound) {
		t.Error(err)
	}
	if _, err := half.Store().Exposure(background, "none", canary.Query{}); !errors.Is(err, canary.ErrNotFound) {
		t.Error(err)
	}
	over, cancel := context.WithCancel(background)
	cancel()
	if _, err := half.Metrics(over, canary.Query{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFiguresByGeneration(t *testing.T) {
	half := halfway(t, nil)
	before := must(half.Store().Read(background, "r"))(t).Revision
	counted(t, half.Record(half.Explain("alice"), canary.Outcome{}))
	after := must(half.Store().SetPercentage(background, "r", 60*canary.Percent))(t).Revision
	counted(t, half.Record(half.Explain("alice"), canary.Outcome{Status: canary.StatusError}))
	found := figures(t, half, canary.Query{ByGeneration: true, Metric: "error"})
	if len(found.Rows) != 2 || found.Rows[0].Generation != before || found.Rows[1].Generation != after ||
		found.Rows[0].New.K != 0 || found.Rows[1].New.K != 1 {
		t.Errorf("%d and %d: %+v", before, after, found.Rows)
	}
	one := must(half.Metrics(background, canary.Query{Generation: after}))(t)
	if failed := row(t, one, "error"); failed.New.N != 1 || failed.Generation != after {
		t.Errorf("%+v", failed)
	}
	if shown := must(half.Exposure(background, canary.Query{}))(t); shown.Generation != after || shown.UsersNew != 1 {
		t.Errorf("%+v", shown)
	}
}

// Each figure is the one that it is called.
func TestEveryFigure(t *testing.T) {
	quarter := rolloutAt(t, "", 10*canary.Percent, nil)
	metrics(t, quarter)
	for i := range 1000 {
		counted(t, quarter.RecordCohort(false, canary.Outcome{Duration: time.Duration((i+1)*(i+1)) * time.Millisecond}))
	}
	counted(t, quarter.RecordCohort(true, canary.Outcome{Duration: 2 * time.Hour}))
	for i := range 4 {
		counted(t, quarter.RecordCohort(true, canary.Outcome{Status: canary.StatusNone,
			Values: []canary.Value{canary.Number("quality", float64(i+1)), canary.Classified("f1", 8, 2, 4, 0)}}))
	}
	found := figures(t, quarter, canary.Query{})
	duration, quality, f1 := row(t, found, "duration"), row(t, found, "quality").New, row(t, found, "f1").New
	for _, c := range []struct{ got, want float64 }{
		{duration.Old.P50, 250}, {duration.Old.P90, 810}, {duration.Old.P95, 902.5}, {duration.Old.P99, 980.1},
		{duration.Old.P999, 998},
	} {
		if math.Abs(c.got/c.want-1) > 0.0081 {
			t.Errorf("a quantile is %v, not %v", c.got, c.want)
		}
	}
	if duration.New.Overflow != 1 || !math.IsInf(duration.New.P50, 1) || duration.Old.Overflow != 0 {
		t.Errorf("%+v", duration.New)
	}
	if math.Abs(quality.Variance-5.0/3) > 1e-9 || quality.Minimum != 1 || quality.Maximum != 4 || quality.Mean != 2.5 {
		t.Errorf("%+v", quality)
	}
	if f1.Precision != 0.8 || math.Abs(f1.Recall-2.0/3) > 1e-12 {
		t.Errorf("%+v", f1)
	}
	// More old users than the sample keeps, and few new ones.
	const users = 30000
	for i := range users {
		counted(t, quarter.Expose(quarter.Explain(fmt.Sprint("user-", i))))
	}
	counted(t, quarter.RecordUser("user-0", true, canary.Outcome{}))
	counted(t, quarter.RecordUser("user-0", false, canary.Outcome{}))
	figures(t, quarter, canary.Query{})
	shown := must(quarter.Exposure(background, canary.Query{}))(t)
	if shown.UsersOldError < 100 || shown.UsersNewError != 0 ||
		shown.Exact || shown.SampleShare >= 1 || shown.SampledOld < 4000 || shown.SampledNew > 2000 ||
		math.Abs(shown.UsersTotal-users) > 5*shown.UsersTotalError {
		t.Errorf("%+v", shown)
	}
	few := halfway(t, nil)
	counted(t, few.RecordUser("alice", true, canary.Outcome{}))
	counted(t, few.RecordUser("alice", false, canary.Outcome{}))
	figures(t, few, canary.Query{})
	if shown := must(few.Exposure(background, canary.Query{}))(t); shown.SampledBoth != 1 || shown.UsersTotal != 1 {
		t.Errorf("%+v", shown)
	}
}

func TestImport(t *testing.T) {
	half := halfway(t, nil)
	store := half.Store()
	rows := []canary.ImportRow{
		{New: true, Metric: "f1", Kind: canary.KindClassification, Declare: true, TP: 91, FP: 9, FN: 9},
		{Metric: "f1", TP: 80, FP: 20, FN: 20},
		{New: true, Metric: "hit", Kind: canary.KindProportion, Declare: true, Unit: "answers", N: 1000, K: 1001},
		{New: true, Metric: "error", N: 1000, K: 7, At: time.Now().Add(-time.Hour)},
		{New: true, Metric: "wait", Declare: true, Duration: 250 * time.Millisecond},
		{New: true, Metric: "none", N: 1},
		{New: true, Metric: "wait", Kind: canary.KindDuration, Value: 0.25},
		{New: true, Metric: "f1", Duration: time.Second},
		{New: true, Metric: "a\x00b", N: 1},
		{New: true, Metric: "error", N: 1, At: time.Unix(-1, 0)},
	}
	became := must(store.Import(background, "r", "nightly-1", rows))(t)
	for i, refused := range became.Refused {
		if wrong := i == 2 || i > 4; (refused != nil) != wrong {
			t.Errorf("row %d: %v", i, refused)
		}
	}
	if became.OK() || became.Repeated || became.Declared != 2 || !errors.Is(became.Refused[2], canary.ErrInvalid) ||
		!strings.Contains(became.Refused[6].Error(), "Duration") {
		t.Errorf("%+v", became)
	}
	found := must(store.Metrics(background, "r", canary.Query{}))(t)
	if f1 := row(t, found, "f1"); f1.New.TP != 91 || math.Abs(f1.New.F1-0.91) > 1e-12 || f1.Old.F1 != 0.8 {
		t.Errorf("%+v", f1)
	}
	if failed := row(t, found, "error"); failed.New.N != 1000 || failed.New.K != 7 {
		t.Errorf("%+v", failed)
	}
	if wait := row(t, found, "wait"); wait.New.Sum != 0.25 || wait.Kind != canary.KindDuration {
		t.Errorf("%+v", wait)
	}
	hour := must(store.Metrics(background, "r", canary.Query{Metric: "error", To: time.Now().Add(-time.Minute)}))(t)
	if failed := row(t, hour, "error"); failed.New.N != 1000 {
		t.Errorf("%+v is not what it was an hour ago", failed)
	}
	ranged := canary.ImportRow{New: true, Metric: "cost", Kind: canary.KindValue, Declare: true, Unit: "usd",
		Minimum: 1, Maximum: 10, Resolution: 0.5, Value: 2.2}
	lower, higher := ranged, ranged
	lower.Value, higher.Value = 0.5, 11
	limits := must(store.Import(background, "r", "", []canary.ImportRow{ranged, lower, higher}))(t)
	if limits.Refused[0] != nil || limits.Refused[1] == nil || limits.Refused[2] == nil {
		t.Errorf("%+v", limits)
	}
	if cost := row(t, must(store.Metrics(background, "r", canary.Query{}))(t), "cost"); cost.Unit != "usd" ||
		cost.New.Sum != 2 {
		t.Errorf("%+v", cost)
	}
	if again := must(store.Import(background, "r", "nightly-1", rows))(t); !again.Repeated {
		t.Errorf("%+v", again)
	}
	if _, err := store.Import(background, "r", "nightly-1", rows[:1]); !errors.Is(err, canary.ErrConflict) {
		t.Error(err)
	}
	if _, err := store.Import(background, "none", "", rows[:1]); !errors.Is(err, canary.ErrNotFound) {
		t.Error(err)
	}
	if _, err := store.Import(background, "r", "no key", rows[:1]); !errors.Is(err, canary.ErrInvalid) {
		t.Error(err)
	}
	if n := row(t, must(store.Metrics(background, "r", canary.Query{}))(t), "f1").New.TP; n != 91 {
		t.Errorf("%d: something was merged twice", n)
	}
	if none := must(store.Import(background, "r", "", nil))(t); !none.OK() || len(none.Refused) != 0 {
		t.Errorf("%+v", none)
	}
}

func TestBaseline(t *testing.T) {
	clock := canary.NewClock(sunday.Add(within))
	half := halfway(t, (&canary.Options{}).WithClock(clock))
	store := half.Store()
	if _, err := store.BaselineRead(background, "r"); !errors.Is(err, canary.ErrNotFound) {
		t.Error(err)
	}
	if _, err := store.BaselineCapture(background, "r", time.Time{}, time.Time{}); !errors.Is(err, canary.ErrRefused) {
		t.Error(err)
	}
	counted(t, half.RecordCohort(false, canary.Outcome{Status: canary.StatusError, Duration: time.Second}))
	counted(t, half.RecordCohort(false, canary.Outcome{Duration: time.Second}))
	counted(t, half.RecordCohort(true, canary.Outcome{}))
	counted(t, half.Flush(background))
	clock.Set(sunday.Add(time.Hour))
	dry := must(store.BaselineCapture(background, "r", sunday, time.Time{}, canary.DryRun()))(t)
	if _, err := store.BaselineRead(background, "r"); dry.Outcomes != 2 || !errors.Is(err, canary.ErrNotFound) {
		t.Errorf("%+v %v", dry, err)
	}
	frozen := must(store.BaselineCapture(background, "r", sunday, time.Time{}, canary.By("ann"), canary.Note("before")))(t)
	if frozen.Outcomes != 2 || frozen.By != "ann" || frozen.Note != "before" || frozen.Hours != 1 ||
		!frozen.From.Equal(sunday) || !frozen.CapturedAt.Equal(sunday.Add(time.Hour)) {
		t.Errorf("%+v", frozen)
	}
	if read := must(store.BaselineRead(background, "r"))(t); read != frozen {
		t.Errorf("%+v is not %+v", read, frozen)
	}
	found := must(half.Metrics(background, canary.Query{Baseline: true}))(t)
	if failed := row(t, found, "error"); failed.Old.N != 2 || failed.Old.Rate != 0.5 || failed.New.N != 0 {
		t.Errorf("%+v", failed)
	}
	hours := must(half.Metrics(background, canary.Query{Baseline: true, Step: time.Hour, Metric: "error"}))(t)
	if len(hours.Rows) != 1 || hours.Rows[0].From.Sub(time.Unix(0, 0)) != (6*24+12)*time.Hour {
		t.Errorf("%+v", hours.Rows)
	}
}

// A writer who wants no more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestOpenMetrics(t *testing.T) {
	half := halfway(t, nil)
	counted(t, half.Record(half.Explain("alice"), canary.Outcome{Duration: time.Millisecond}))
	var text bytes.Buffer
	if err := half.WriteOpenMetrics(&text); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"# EOF\n", `canary_outcomes_total{rollout="r",cohort="new",status="ok"} 1`,
		`canary_configured_ratio{rollout="r"} 0.5`} {
		if !strings.Contains(text.String(), wanted) {
			t.Errorf("there is no %s in\n%s", wanted, text.String())
		}
	}
	text.Reset()
	if err := half.Store().WritePrometheus(&text); err != nil || strings.Contains(text.String(), "# EOF") ||
		!strings.Contains(text.String(), "# TYPE canary_outcomes_total counter") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if err := half.WriteOpenMetrics(full{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	var none *canary.Store
	if err := none.WriteOpenMetrics(&text); !errors.Is(err, canary.ErrInvalid) {
		t.Error(err)
	}
	half.Store().Close()
	if err := half.WriteOpenMetrics(&text); !errors.Is(err, canary.ErrClosed) {
		t.Error(err)
	}
}

// Two handles of a store as two processes have them, and a program that starts again.
func TestFiguresOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canary.db")
	first := must(canary.OpenStore(background, path, &canary.Options{Create: true}))(t)
	defer first.Close()
	must(first.Create(background, canary.Spec{Name: "r"}))(t)
	for range 3 {
		rollout := must(canary.Open(background, path, "r", nil))(t)
		for range 100 {
			counted(t, rollout.Record(rollout.Explain("alice"), canary.Outcome{Duration: time.Second}))
		}
		rollout.Close() // which flushes
	}
	found := must(first.Metrics(background, "r", canary.Query{Window: time.Hour}))(t)
	if duration := row(t, found, "duration"); duration.Old.N != 300 || duration.Old.Sum != 300 ||
		math.Abs(duration.Old.P50-1) > 0.008 {
		t.Errorf("%+v", duration)
	}
	if _, err := os.Stat(path + "-metrics"); err != nil {
		t.Error(err)
	}
}
