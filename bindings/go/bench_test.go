// SPDX-License-Identifier: MIT

//go:build cgo

package canary

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A decision from Go costs at most 50 ns more than in C. Each number is the best of many short
// windows, since other programs only ever make one slower.
func TestDecisionBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	store, err := OpenMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.Create(context.Background(), Spec{Name: "r"})
	store.SetPercentage(context.Background(), "r", 2500)
	rollout, err := store.Rollout(context.Background(), "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rollout.Close()
	user := strings.Repeat("0123456789ab", 3)
	var crossing, inC, inGo, limit time.Duration
	for range windows {
		window(&crossing, func() {
			for range calls {
				nothing(user)
			}
		})
		window(&inC, func() { rollout.often(user, calls) })
		window(&inGo, func() {
			for range calls {
				rollout.ShouldUseNew(user)
			}
		})
		// On a slower machine the crossing alone may take more.
		limit = max(50*calls*time.Nanosecond, crossing+crossing/2)
		if inGo-inC <= limit {
			break
		}
	}
	t.Logf("%v a crossing, %v in C, %v in Go", crossing/calls, inC/calls, inGo/calls)
	if inGo-inC > limit {
		t.Errorf("a decision from Go takes %v more than in C, at most %v", (inGo-inC)/calls, limit/calls)
	}
}

const (
	windows = 400
	calls   = 5000
)

// window measures one of many short windows, since other programs only ever make one slower.
func window(best *time.Duration, work func()) {
	begin := time.Now()
	work()
	if took := time.Since(begin); *best == 0 || took < *best {
		*best = took
	}
}

// Recording from Go costs one crossing more than in C, and at most half a crossing besides.
func TestRecordingBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	rollout := measured(t)
	decision := rollout.Explain(strings.Repeat("0123456789ab", 3))
	outcome := Outcome{Duration: 3 * time.Millisecond}
	var crossing, inC, inGo, limit time.Duration
	for range windows {
		window(&crossing, func() {
			for range calls {
				nothing("x")
			}
		})
		window(&inC, func() { rollout.oftenRecorded(decision, int64(outcome.Duration), calls) })
		window(&inGo, func() {
			for range calls {
				rollout.Record(decision, outcome)
			}
		})
		limit = max(50*calls*time.Nanosecond, crossing+crossing/2)
		if inGo-inC <= limit {
			break
		}
	}
	t.Logf("%v a crossing, %v in C, %v in Go", crossing/calls, inC/calls, inGo/calls)
	if inGo-inC > limit {
		t.Errorf("a record from Go takes %v more than in C, at most %v", (inGo-inC)/calls, limit/calls)
	}
}

// measured is a rollout at 25 % with metrics.
func measured(t testing.TB) *Rollout {
	store, err := OpenMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.Create(context.Background(), Spec{Name: "r"})
	store.SetPercentage(context.Background(), "r", 2500)
	rollout, err := store.Rollout(context.Background(), "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rollout.Close() })
	for _, metric := range []Metric{{Name: "cost", Kind: KindValue}, {Name: "cache_hit", Kind: KindProportion}} {
		if err := rollout.Declare(metric); err != nil {
			t.Fatal(err)
		}
	}
	return rollout
}

// What recording costs, beside the call that does nothing and the record in C.
func BenchmarkRecord(b *testing.B) {
	rollout, ctx, user := measured(b), context.Background(), strings.Repeat("0123456789ab", 3)
	decision, outcome := rollout.Explain(user), Outcome{Duration: 3 * time.Millisecond}
	valued := Outcome{Duration: outcome.Duration, Values: []Value{Number("cost", 0.25), Hit("cache_hit", true)}}
	for _, measured := range []struct {
		name string
		call func()
	}{
		{"cgo call that does nothing", func() { nothing(user) }},
		{"Record", func() { rollout.Record(decision, outcome) }},
		{"Record with two values", func() { rollout.Record(decision, valued) }},
		{"RecordUser", func() { rollout.RecordUser(user, true, outcome) }},
		{"RecordCohort", func() { rollout.RecordCohort(true, outcome) }},
		{"Expose", func() { rollout.Expose(decision) }},
		{"Explain", func() { rollout.Explain(user) }},
		{"Explain and Record", func() { rollout.Record(rollout.Explain(user), outcome) }},
		{"Start and End", func() { rollout.Start(ctx, user).End(nil) }},
		{"Start and a deferred End", func() {
			var err error
			request := rollout.Start(ctx, user)
			defer request.End(&err)
		}},
	} {
		b.Run(measured.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				measured.call()
			}
		})
	}
	b.Run("in C, no crossing", func(b *testing.B) {
		b.ReportAllocs()
		rollout.oftenRecorded(decision, int64(outcome.Duration), b.N)
	})
	b.Run("Record on all processors", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				rollout.Record(decision, outcome)
			}
		})
	})
}

// One run has everything that a number has to be read beside: the call that does nothing, the
// decision in C, and the hash alone in Go.
func BenchmarkDecision(b *testing.B) {
	user := strings.Repeat("0123456789ab", 3)
	raw := []byte(user)
	open := func(share BasisPoints, options *Options) *Rollout {
		store, err := OpenMemory(nil)
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close()
		store.Create(context.Background(), Spec{Name: "r"})
		store.SetPercentage(context.Background(), "r", share)
		rollout, err := store.Rollout(context.Background(), "r", options)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { rollout.Close() })
		return rollout
	}
	rollout, closed := open(2500, nil), open(0, nil)
	switched := open(2500, &Options{KillSwitch: func() bool { return false }})
	replica, _ := NewReplica("r", nil)
	if err := replica.Load([]byte(`{"rollout": "r", "stage": 2, "percentage": 25, "effective_percentage": 25,
		"killed": false, "salt": "", "algorithm": 1, "revision": 1, "overrides": {"new": 0, "old": 0}}`)); err != nil {
		b.Fatal(err)
	}
	var sink bool
	for _, measured := range []struct {
		name string
		call func()
	}{
		{"cgo call that does nothing", func() { sink = nothing(user) }},
		{"SHA-256 in Go", func() { sink = sha256.Sum256(raw)[0] < 64 }},
		{"ShouldUseNew", func() { sink = rollout.ShouldUseNew(user) }},
		{"ShouldUseNew with a kill switch", func() { sink = switched.ShouldUseNew(user) }},
		{"ShouldUseNew at 0 percent", func() { sink = closed.ShouldUseNew(user) }},
		{"hash in Go and ShouldUseNewHash", func() { sink = rollout.ShouldUseNewHash(user, Hash("", user)) }},
		{"Explain", func() { sink = rollout.Explain(user).New }},
		{"Replica", func() { sink = replica.ShouldUseNew(user) }},
	} {
		b.Run(measured.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				measured.call()
			}
		})
	}
	b.Run("in C, no crossing", func(b *testing.B) {
		b.ReportAllocs()
		rollout.often(user, b.N)
	})
	for _, count := range []int{10, 1000} {
		users, into := make([]string, count), make([]bool, count)
		for i := range users {
			users[i] = fmt.Sprintf("%036d", i)
		}
		b.Run(fmt.Sprintf("DecideMany of %d, each user", count), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i += count {
				rollout.DecideMany(users, into)
			}
		})
	}
	b.Run("ShouldUseNew on all processors", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				rollout.ShouldUseNew(user)
			}
		})
	})
	_ = sink
}
