// SPDX-License-Identifier: MIT

//go:build cgo

package canarytest

import (
	"context"
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
