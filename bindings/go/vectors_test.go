// SPDX-License-Identifier: MIT

package canary_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"libcanary.example/canary"
)

// The vectors of the C library. They stand in the project, two directories up.
const vectorsPath = "../../tests/vectors/"

type vector struct {
	id, salt string
	hash     uint32
	bucket   int
}

func lines(t testing.TB, name string) [][]string {
	file, err := os.Open(vectorsPath + name)
	if err != nil {
		t.Skipf("the vectors come with the whole project only: %v", err)
	}
	defer file.Close()
	var all [][]string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if line := scanner.Text(); !strings.HasPrefix(line, "#") {
			all = append(all, strings.Split(line, "\t"))
		}
	}
	return all
}

func unhex(t testing.TB, field string) string {
	if field == "-" {
		return ""
	}
	raw, err := hex.DecodeString(field)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func number(t testing.TB, field string) int {
	n, err := strconv.Atoi(field)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func vectors(t testing.TB) []vector {
	var all []vector
	for _, fields := range lines(t, "vectors.tsv") {
		all = append(all, vector{unhex(t, fields[0]), unhex(t, fields[1]),
			uint32(number(t, fields[2])), number(t, fields[3])})
	}
	if len(all) < 10000 {
		t.Fatalf("%d vectors, 10000 at least", len(all))
	}
	return all
}

func TestVectorsHash(t *testing.T) {
	for _, v := range vectors(t) {
		if got := canary.Hash(v.salt, v.id); got != v.hash {
			t.Fatalf("id %x salt %x: hash %d, want %d", v.id, v.salt, got, v.hash)
		}
		if got := canary.BucketOf(v.hash); got != v.bucket {
			t.Fatalf("id %x salt %x: bucket %d, want %d", v.id, v.salt, got, v.bucket)
		}
	}
}

// status is what `canaryctl status -o json` would print.
func status(salt string, share canary.BasisPoints, revision int) []byte {
	return fmt.Appendf(nil, `{"rollout": "r", "stage": 1, "stage_name": "S", "percentage": %v,
		"effective_percentage": %v, "killed": false, "kill_reasons": [], "doubt": [], "salt": null,
		"salt_hex": "%x", "algorithm": 1, "revision": %d, "overrides": {"new": 0, "old": 0}}`,
		share.Percent(), share.Percent(), salt, revision)
}

// A saltyReplica has a salt in any bytes; with none, "salt" is "".
func replicaAt(t testing.TB, salt string, share canary.BasisPoints) *canary.Replica {
	replica, err := canary.NewReplica("r", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := status(salt, share, 1)
	if salt == "" {
		text = bytes.Replace(text, []byte(`"salt": null`), []byte(`"salt": ""`), 1)
	}
	if err := replica.Load(text); err != nil {
		t.Fatal(err)
	}
	return replica
}

// Each vector at its own edge: old at a percentage of its bucket, new at one more.
func TestVectorsReplica(t *testing.T) {
	edge := map[string]*canary.Replica{}
	at := func(salt string, share int) *canary.Replica {
		key := fmt.Sprint(salt, "/", share)
		if edge[key] == nil {
			edge[key] = replicaAt(t, salt, canary.BasisPoints(share))
		}
		return edge[key]
	}
	for _, v := range vectors(t) {
		if at(v.salt, v.bucket).ShouldUseNew(v.id) {
			t.Fatalf("id %x salt %x: new at %d", v.id, v.salt, v.bucket)
		}
		if !at(v.salt, v.bucket+1).ShouldUseNew(v.id) {
			t.Fatalf("id %x salt %x: old at %d", v.id, v.salt, v.bucket+1)
		}
		if d := at(v.salt, v.bucket).Explain(v.id); d.Bucket != v.bucket || d.Hash != v.hash || d.New {
			t.Fatalf("id %x salt %x: %+v", v.id, v.salt, d)
		}
	}
}

// cohorts calls decide for every line of cohorts.tsv with all its users.
func cohorts(t *testing.T, decide func(salt string, share canary.BasisPoints, users []string, into []bool)) {
	all := lines(t, "cohorts.tsv")
	users := make([]string, 1000000)
	for i := range users {
		users[i] = "user-" + strconv.Itoa(i)
	}
	if testing.Short() {
		all = all[:min(3, len(all))]
	}
	if len(all) == 0 {
		t.Fatal("no cohorts")
	}
	into, digits := make([]bool, len(users)), make([]byte, len(users))
	for _, fields := range all {
		salt, share := unhex(t, fields[0]), canary.BasisPoints(number(t, fields[1]))
		decide(salt, share, users, into)
		count := 0
		for i, isNew := range into {
			digits[i] = 0
			if isNew {
				digits[i], count = 1, count+1
			}
		}
		if count != number(t, fields[2]) || fmt.Sprintf("%x", sha256.Sum256(digits)) != fields[3] {
			t.Errorf("salt %q at %v: %d of a million, want %s and digest %s", salt, share, count,
				fields[2], fields[3])
		}
	}
}

func TestCohortsReplica(t *testing.T) {
	cohorts(t, func(salt string, share canary.BasisPoints, users []string, into []bool) {
		replica := replicaAt(t, salt, share)
		for i, user := range users {
			into[i] = replica.ShouldUseNew(user)
		}
	})
}
