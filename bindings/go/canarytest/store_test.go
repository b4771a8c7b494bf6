// SPDX-License-Identifier: MIT

//go:build cgo

package canarytest_test

import (
	"context"
	"testing"
	"time"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
)

func TestRollout(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", 5*canary.Percent)
	if !rollout.ShouldUseNew("alice") || rollout.ShouldUseNew("bob") {
		t.Error("cohorts")
	}
	canarytest.PinIn(t, rollout, true, "bob")
	canarytest.PinIn(t, rollout, false, "alice")
	if rollout.ShouldUseNew("alice") || !rollout.ShouldUseNew("bob") {
		t.Error("pins")
	}
	if _, err := rollout.Store().Rollback(context.Background(), "r", 0); err != nil {
		t.Fatal(err)
	}
	if rollout.ShouldUseNew("carol") {
		t.Error("rollback")
	}
}

func TestAging(t *testing.T) {
	rollout, clock := canarytest.Aging(t, "r", canary.Everybody, time.Hour)
	if !rollout.ShouldUseNew("bob") {
		t.Error("fresh")
	}
	clock.Set(time.Unix(1000000000, 0).Add(61 * time.Minute))
	if d := rollout.Explain("bob"); d.New || d.Reason != canary.ReasonStale || d.Age != 61*time.Minute {
		t.Errorf("%v", d)
	}
}

func TestStore(t *testing.T) {
	if all, err := canarytest.Store(t).Rollouts(context.Background()); len(all) != 0 || err != nil {
		t.Error(all, err)
	}
}
