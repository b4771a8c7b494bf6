// SPDX-License-Identifier: MIT

package canary_test

import (
	"fmt"

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
