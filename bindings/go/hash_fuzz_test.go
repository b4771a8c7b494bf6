// SPDX-License-Identifier: MIT

package canary_test

import (
	"crypto/sha256"
	"testing"

	"libcanary.example/canary"
)

// simple is the rule in as few words as it takes, to hold the rest against.
func simple(salt, id string) (hash uint32, bucket int) {
	if salt != "" {
		id = salt + ":" + id
	}
	d := sha256.Sum256([]byte(id))
	hash = uint32(d[0])<<24 | uint32(d[1])<<16 | uint32(d[2])<<8 | uint32(d[3])
	return hash, int(hash%100)*100 + int(hash/100)%100
}

func FuzzHash(f *testing.F) {
	f.Add("", "alice")
	f.Add("spring", "alice")
	f.Add("a:b", "\x00")
	f.Fuzz(func(t *testing.T, salt, id string) {
		hash, bucket := simple(salt, id)
		if got := canary.Hash(salt, id); got != hash || canary.BucketOf(got) != bucket {
			t.Errorf("salt %q id %q: %d, want %d", salt, id, got, hash)
		}
	})
}

// Nobody's words for a state may crash a program, or raise exposure unseen.
func FuzzReplicaLoad(f *testing.F) {
	f.Add(plain(2500, 7), []byte(`[]`))
	f.Add(change(plain(2500, 7), `"old": 0`, `"old": 1`), []byte(`[{"user": "alice", "cohort": "old"}]`))
	f.Fuzz(func(t *testing.T, text, overrides []byte) {
		replica, err := canary.NewReplica("r", nil)
		if err != nil {
			t.Fatal(err)
		}
		err = replica.LoadWithOverrides(text, overrides)
		decision := replica.Explain("alice")
		if replica.ShouldUseNew("alice") != decision.New {
			t.Errorf("two answers")
		}
		if decision.New && decision.Reason == canary.ReasonSplit && decision.Bucket >= int(decision.Percentage) {
			t.Errorf("%v with %v", decision, err)
		}
	})
}
