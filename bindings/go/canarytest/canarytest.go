// SPDX-License-Identifier: MIT

// Package canarytest is for tests of programs that decide: each test puts its users on the side it
// wants to see.
//
// [Pin] is enough for most: a decider without store, percentage or clock. [Replica], and [Store] and
// [Rollout] in builds with cgo, are the real thing in memory, with the cohorts that users have
// everywhere: "alice" has bucket 178 and "bob" 1227, today and for ever.
package canarytest

import (
	"fmt"
	"sync"
	"testing"

	"libcanary.example/canary"
)

// A Pinned gives each user the cohort that the test says, and everybody else the old path, or what
// Rest was given. It may be used and changed from many goroutines.
type Pinned struct {
	name  string
	mutex sync.RWMutex
	users map[string]bool
	rest  bool
}

var _ canary.Decider = (*Pinned)(nil)

// Pin makes a decider under which these users get the new path, and all others the old one.
func Pin(rollout string, toNew ...string) *Pinned {
	pinned := &Pinned{name: rollout, users: map[string]bool{}}
	for _, user := range toNew {
		pinned.users[user] = true
	}
	return pinned
}

// Set puts a user on one side.
func (p *Pinned) Set(user string, toNew bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.users[user] = toNew
}

// Rest puts everybody on one side who was not named.
func (p *Pinned) Rest(toNew bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.rest = toNew
}

// Name is the name of the rollout.
func (p *Pinned) Name() string { return p.name }

// ShouldUseNew is true when the test says so.
func (p *Pinned) ShouldUseNew(user string) bool { return p.Explain(user).New }

// Explain gives the reason OVERRIDE always, but for the empty user, who is nobody.
func (p *Pinned) Explain(user string) canary.Decision {
	if user == "" {
		return canary.Decision{Reason: canary.ReasonInvalid, Bucket: canary.NoBucket, Stage: -1, Age: -1}
	}
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	toNew, named := p.users[user]
	if !named {
		toNew = p.rest
	}
	hash := canary.Hash("", user)
	return canary.Decision{New: toNew, Reason: canary.ReasonOverride, Hash: hash,
		Bucket: canary.BucketOf(hash), Revision: 1}
}

// Replica makes a replica at this share, without salt and without overrides.
func Replica(t testing.TB, rollout string, share canary.BasisPoints) *canary.Replica {
	t.Helper()
	replica, err := canary.NewReplica(rollout, nil)
	if err == nil {
		err = replica.Load(Status(rollout, share, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return replica
}

// Status is the JSON that `canaryctl status -o json` would print of a rollout at this share.
func Status(rollout string, share canary.BasisPoints, revision uint64) []byte {
	return fmt.Appendf(nil, `{"rollout": %q, "stage": 0, "stage_name": "TEST", "percentage": %v, `+
		`"effective_percentage": %v, "killed": false, "kill_reasons": [], "doubt": [], "salt": "", `+
		`"algorithm": 1, "revision": %d, "overrides": {"new": 0, "old": 0}}`,
		rollout, share.Percent(), share.Percent(), revision)
}
