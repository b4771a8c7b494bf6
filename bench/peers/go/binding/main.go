// SPDX-License-Identifier: MIT

// libcanary's binding for Go. PEER_WHAT is `rollout`, the C library through cgo, or `replica`, the
// same decision in pure Go from a state that the program loads.
package main

import (
	"context"
	"os"

	"harness"
	"libcanary.example/canary"
)

const state = `{"rollout": "checkout", "stage": 2, "percentage": 25, "effective_percentage": 25,
	"killed": false, "salt": "", "algorithm": 1, "revision": 1, "overrides": {"new": 0, "old": 0}}`

func main() {
	if os.Getenv("PEER_WHAT") == "replica" {
		replica, err := canary.NewReplica("checkout", nil)
		if err == nil {
			err = replica.Load([]byte(state))
		}
		if err != nil {
			panic(err)
		}
		harness.Run[string]("pure Go", replica.ShouldUseNew, nil, nil)
		return
	}
	rollout, err := canary.Open(context.Background(), os.Getenv("PEER_STORE"), "checkout", nil)
	if err != nil {
		panic(err)
	}
	harness.Run[string](canary.Version(), rollout.ShouldUseNew, nil, nil)
}
