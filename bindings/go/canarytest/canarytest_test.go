// SPDX-License-Identifier: MIT

package canarytest_test

import (
	"fmt"
	"sync"
	"testing"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
)

func TestPinned(t *testing.T) {
	pinned := canarytest.Pin("r", "alice")
	if !pinned.ShouldUseNew("alice") || pinned.ShouldUseNew("bob") || pinned.ShouldUseNew("") {
		t.Error("pins")
	}
	pinned.Rest(true)
	pinned.Set("alice", false)
	if pinned.ShouldUseNew("alice") || !pinned.ShouldUseNew("bob") || pinned.ShouldUseNew("") {
		t.Error("the other way round")
	}
	if d := pinned.Explain("bob"); d.Bucket != 1227 || d.Reason != canary.ReasonOverride {
		t.Errorf("%v", d)
	}
	var group sync.WaitGroup
	for range 100 {
		group.Add(1)
		go func() { defer group.Done(); pinned.Set("x", true); pinned.Explain("x") }()
	}
	group.Wait()
}

func TestReplica(t *testing.T) {
	replica := canarytest.Replica(t, "r", 179)
	if !replica.ShouldUseNew("alice") || replica.ShouldUseNew("bob") {
		t.Error("cohorts")
	}
}

// shipping is a function under test.
func shipping(rollout canary.Decider, user string) int {
	if rollout.ShouldUseNew(user) {
		return 390
	}
	return 490
}

func ExamplePin() {
	rollout := canarytest.Pin("shipping", "alice")
	fmt.Println(shipping(rollout, "alice"), shipping(rollout, "bob"))
	// Output: 390 490
}
