// SPDX-License-Identifier: MIT

//go:build cgo

package canarytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"libcanary.example/canary"
)

// Store opens an empty store in memory, which is closed with the test. No file, no thread: a change
// is in effect when the changing call returns.
func Store(t testing.TB) *canary.Store { return store(t, nil) }

func store(t testing.TB, options *canary.Options) *canary.Store {
	t.Helper()
	s, err := canary.OpenMemory(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Rollout makes a rollout at this share in a store of its own, and opens it. The test moves it by
// its Store.
func Rollout(t testing.TB, name string, share canary.BasisPoints) *canary.Rollout {
	t.Helper()
	return rollout(t, name, share, nil)
}

// Aging is Rollout with a state that gets too old after staleAfter on a clock that the test moves.
func Aging(t testing.TB, name string, share canary.BasisPoints,
	staleAfter time.Duration) (*canary.Rollout, *canary.Clock) {
	t.Helper()
	clock := canary.NewClock(time.Unix(1000000000, 0))
	return rollout(t, name, share, (&canary.Options{StaleAfter: staleAfter}).WithClock(clock)), clock
}

func rollout(t testing.TB, name string, share canary.BasisPoints, options *canary.Options) *canary.Rollout {
	t.Helper()
	s := store(t, options)
	ctx := context.Background()
	_, err := s.Create(ctx, canary.Spec{Name: name})
	if err == nil {
		_, err = s.SetPercentage(ctx, name, share)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Rollout(ctx, name, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// PinIn pins users of a real rollout, as an operator would.
func PinIn(t testing.TB, rollout *canary.Rollout, toNew bool, users ...string) {
	t.Helper()
	if _, err := rollout.Store().SetOverride(context.Background(), rollout.Name(), toNew, users); err != nil {
		t.Fatal(err)
	}
}

// Counts are requests by how they ended.
type Counts struct{ OK, Error, Timeout uint64 }

// Cohorts are the requests of both cohorts.
type Cohorts struct{ Old, New Counts }

// Outcomes are the requests that were recorded on a rollout, to be compared with what a test expects.
//
//	if got := canarytest.Outcomes(t, rollout); got != (canarytest.Cohorts{New: canarytest.Counts{OK: 1}}) {
func Outcomes(t testing.TB, rollout *canary.Rollout) Cohorts {
	t.Helper()
	found := figures(t, rollout)
	failed, _ := found.Row("error")
	late, _ := found.Row("timeout")
	counts := func(failed, late canary.Figures) Counts {
		return Counts{failed.N - failed.K - late.K, failed.K, late.K}
	}
	return Cohorts{Old: counts(failed.Old, late.Old), New: counts(failed.New, late.New)}
}

// Measured are the figures of a metric, "duration" among them. Where nothing was measured the test ends.
func Measured(t testing.TB, rollout *canary.Rollout, metric string) canary.MetricRow {
	t.Helper()
	row, ok := figures(t, rollout).Row(metric)
	if !ok {
		t.Fatalf("nothing was recorded of %q", metric)
	}
	return row
}

// Rejected is what was recorded on a rollout and not allowed, by cause: empty when all is well.
func Rejected(t testing.TB, rollout *canary.Rollout) map[canary.Cause]uint64 {
	t.Helper()
	recording, err := rollout.Recording()
	if err != nil {
		t.Fatal(err)
	}
	return recording.Rejected
}

func figures(t testing.TB, rollout *canary.Rollout) canary.Metrics {
	t.Helper()
	ctx := context.Background()
	err := rollout.Flush(ctx)
	found, readError := rollout.Metrics(ctx, canary.Query{})
	if err = errors.Join(err, readError); err != nil {
		t.Fatal(err)
	}
	return found
}
