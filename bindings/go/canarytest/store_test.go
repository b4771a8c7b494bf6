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

func TestWhatWasRecorded(t *testing.T) {
	rollout := canarytest.Rollout(t, "r", 5*canary.Percent)
	if got := canarytest.Outcomes(t, rollout); got != (canarytest.Cohorts{}) {
		t.Errorf("%+v of nothing", got)
	}
	if err := rollout.Declare(canary.Metric{Name: "cost", Kind: canary.KindValue}); err != nil {
		t.Fatal(err)
	}
	for user, status := range map[string]canary.Status{"alice": canary.StatusOK, "bob": canary.StatusTimeout} {
		rollout.Record(rollout.Explain(user), canary.Outcome{Status: status,
			Values: []canary.Value{canary.Number("cost", 0.5)}})
	}
	rollout.RecordCohort(false, canary.Outcome{Status: canary.StatusError})
	want := canarytest.Cohorts{New: canarytest.Counts{OK: 1}, Old: canarytest.Counts{Error: 1, Timeout: 1}}
	if got := canarytest.Outcomes(t, rollout); got != want {
		t.Errorf("%+v", got)
	}
	if cost := canarytest.Measured(t, rollout, "cost"); cost.New.Sum != 0.5 || cost.Old.N != 1 {
		t.Errorf("%+v", cost)
	}
	if got := canarytest.Rejected(t, rollout); len(got) != 0 {
		t.Error(got)
	}
	rollout.RecordCohort(false, canary.Outcome{Duration: -1})
	if got := canarytest.Rejected(t, rollout); got[canary.RejectedDuration] != 1 {
		t.Error(got)
	}
}
