// SPDX-License-Identifier: MIT

package canary_test

import (
	"fmt"
	"os"
	"time"

	"libcanary.example/canary"
)

func ExampleReplica() {
	replica, err := canary.NewReplica("checkout", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(replica.ShouldUseNew("alice"), replica.Explain("alice").Reason)

	// From `canaryctl --rollout checkout status -o json`, by whatever way it comes here.
	err = replica.Load([]byte(`{"rollout": "checkout", "stage": 1, "stage_name": "EARLY_TESTING",
		"percentage": 5, "effective_percentage": 5, "killed": false, "doubt": [], "salt": "",
		"algorithm": 1, "revision": 2, "overrides": {"new": 0, "old": 0}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(replica.ShouldUseNew("alice"), replica.ShouldUseNew("bob"))
	fmt.Println(replica.Explain("alice"))
	// Output:
	// false not_ready
	// true false
	// new (split, bucket 178, 5 % effective, stage 1, revision 2)
}

func ExampleHash() {
	hash := canary.Hash("spring", "alice")
	fmt.Println(hash, canary.BucketOf(hash))
	// Output: 196761749 4917
}

func ExampleReplica_Load() {
	if err := os.WriteFile("checkout.json", []byte(`{"rollout": "checkout", "stage": 4, "percentage": 100,
		"effective_percentage": 100, "killed": false, "salt": "", "algorithm": 1, "revision": 5,
		"overrides": {"new": 0, "old": 0}}`), 0o600); err != nil {
		fmt.Println(err)
	}
	defer os.Remove("checkout.json")

	load := func() error {
		replica, err := canary.NewReplica("checkout", &canary.ReplicaOptions{StaleAfter: time.Minute})
		if err != nil {
			return err
		}
		status, err := os.ReadFile("checkout.json")
		if err != nil {
			return err
		}
		return replica.Load(status)
	}
	fmt.Println(load())
	// Output: <nil>
}
