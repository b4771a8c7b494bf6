// SPDX-License-Identifier: MIT

package canary_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"libcanary.example/canary"
)

func change(text []byte, from, to string) []byte {
	changed := strings.Replace(string(text), from, to, 1)
	if changed == string(text) {
		panic("there is no " + from)
	}
	return []byte(changed)
}

func plain(share canary.BasisPoints, revision int) []byte {
	return change(status("", share, revision), `"salt": null`, `"salt": ""`)
}

func expect(t *testing.T, d canary.Decider, user string, isNew bool, reason canary.Reason) {
	t.Helper()
	decision := d.Explain(user)
	if decision.New != isNew || decision.Reason != reason {
		t.Errorf("%q: %v, want new=%v reason %v", user, decision, isNew, reason)
	}
	if d.ShouldUseNew(user) != isNew {
		t.Errorf("%q: ShouldUseNew and Explain disagree", user)
	}
}

func newReplica(t *testing.T, options *canary.ReplicaOptions) *canary.Replica {
	t.Helper()
	replica, err := canary.NewReplica("r", options)
	if err != nil {
		t.Fatal(err)
	}
	return replica
}

func load(t *testing.T, replica *canary.Replica, text []byte) {
	t.Helper()
	if err := replica.Load(text); err != nil {
		t.Fatal(err)
	}
}

func TestReplicaReasons(t *testing.T) {
	now := time.Unix(1000, 0)
	hook := false
	replica := newReplica(t, &canary.ReplicaOptions{StaleAfter: time.Minute,
		Now: func() time.Time { return now }, KillSwitch: func() bool { return hook }})
	expect(t, replica, "", false, canary.ReasonInvalid)
	expect(t, nil2(), "alice", false, canary.ReasonInvalid)
	expect(t, replica, "alice", false, canary.ReasonNotReady)

	load(t, replica, plain(500, 1))
	expect(t, replica, "alice", true, canary.ReasonSplit)
	expect(t, replica, "bob", false, canary.ReasonSplit)
	load(t, replica, plain(0, 2))
	expect(t, replica, "alice", false, canary.ReasonStatic)
	load(t, replica, plain(10000, 3))
	expect(t, replica, "bob", true, canary.ReasonStatic)

	now = now.Add(time.Minute)
	expect(t, replica, "bob", true, canary.ReasonStatic)
	now = now.Add(time.Nanosecond)
	expect(t, replica, "bob", false, canary.ReasonStale)
	load(t, replica, plain(10000, 3))
	expect(t, replica, "bob", true, canary.ReasonStatic)

	hook = true
	expect(t, replica, "bob", false, canary.ReasonKilled)
	hook = false
	replica.Kill()
	expect(t, replica, "bob", false, canary.ReasonKilled)
	replica.Revive()
	load(t, replica, change(plain(10000, 4), `"killed": false`, `"killed": true`))
	expect(t, replica, "bob", false, canary.ReasonKilled)
	if d := replica.Explain("bob"); d.Effective != 0 || d.Percentage != 10000 || d.Bucket != 1227 {
		t.Errorf("%+v", d)
	}
}

func nil2() *canary.Replica { return nil }

func TestReplicaEffectiveIsWhatCounts(t *testing.T) {
	replica := newReplica(t, nil)
	load(t, replica, change(plain(10000, 1), `"effective_percentage": 100`, `"effective_percentage": 1.78`))
	expect(t, replica, "alice", false, canary.ReasonSplit) // bucket 178
	load(t, replica, change(plain(10000, 2), `"effective_percentage": 100`, `"effective_percentage": 1.79`))
	expect(t, replica, "alice", true, canary.ReasonSplit)
	// More effective than configured is no state of any store.
	load(t, replica, change(plain(0, 3), `"effective_percentage": 0`, `"effective_percentage": 100`))
	expect(t, replica, "alice", false, canary.ReasonStatic)
}

func TestReplicaOverrides(t *testing.T) {
	pinned := change(plain(10000, 1), `{"new": 0, "old": 0}`, `{"new": 1, "old": 2}`)
	replica := newReplica(t, nil)
	load(t, replica, pinned)
	expect(t, replica, "carol", false, canary.ReasonNotReady) // she could be one of the two

	list := []byte(`[{"user": "alice", "cohort": "new"}, {"user": "bob", "cohort": "old"},
		{"user": null, "user_hex": "ff00", "cohort": "old"}]`)
	if err := replica.LoadWithOverrides(pinned, list); err != nil {
		t.Fatal(err)
	}
	expect(t, replica, "carol", true, canary.ReasonStatic)
	expect(t, replica, "bob", false, canary.ReasonOverride)
	expect(t, replica, "\xff\x00", false, canary.ReasonOverride)
	low := change(change(plain(0, 2), `{"new": 0, "old": 0}`, `{"new": 1, "old": 2}`),
		`"doubt": []`, `"doubt": ["overrides"]`)
	if err := replica.LoadWithOverrides(low, list); err != nil {
		t.Fatal(err)
	}
	expect(t, replica, "alice", false, canary.ReasonStatic) // pins in doubt do not raise

	// A list that cannot be read keeps nothing but itself out.
	if err := replica.LoadWithOverrides(change(pinned, `"revision": 1`, `"revision": 3`),
		[]byte(`[{]`)); !errors.Is(err, canary.ErrInvalid) {
		t.Errorf("%v", err)
	}
	expect(t, replica, "carol", false, canary.ReasonNotReady)
}

func TestReplicaRefuses(t *testing.T) {
	good := plain(2500, 7)
	replica := newReplica(t, nil)
	load(t, replica, good)
	for what, text := range map[string][]byte{
		"nothing":                  nil,
		"no JSON":                  []byte("50"),
		"two values":               append(append([]byte{}, good...), good...),
		"cut short":                good[:len(good)-2],
		"another rollout":          change(good, `"rollout": "r"`, `"rollout": "s"`),
		"no percentage":            change(good, `"percentage": 25`, `"x": 25`),
		"no effective percentage":  change(good, `"effective_percentage": 25`, `"x": 25`),
		"no killed":                change(good, `"killed": false`, `"x": 0`),
		"no overrides":             change(good, `"overrides"`, `"x"`),
		"no salt":                  change(good, `"salt": ""`, `"x": 0`),
		"a negative percentage":    change(good, `"percentage": 25`, `"percentage": -1`),
		"too much":                 change(good, `"percentage": 25`, `"percentage": 100.01`),
		"three decimals":           change(good, `"percentage": 25`, `"percentage": 0.001`),
		"a salt that is too long":  change(good, `"salt": ""`, `"salt": "`+strings.Repeat("s", 129)+`"`),
		"an algorithm of tomorrow": change(good, `"algorithm": 1`, `"algorithm": 2`),
		"a negative revision":      change(good, `"revision": 7`, `"revision": -7`),
	} {
		err := replica.Load(text)
		var known *canary.Error
		if !errors.As(err, &known) {
			t.Errorf("%s: %v", what, err)
		}
		expect(t, replica, "alice", true, canary.ReasonSplit)
	}
	if err := replica.Load(change(good, `"algorithm": 1`, `"algorithm": 2`)); !errors.Is(err,
		canary.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"", "a b", strings.Repeat("n", 129), "é"} {
		if _, err := canary.NewReplica(name, nil); !errors.Is(err, canary.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestReplicaOlderRevisionOnlyLowers(t *testing.T) {
	replica := newReplica(t, nil)
	load(t, replica, plain(500, 7))
	if err := replica.Load(plain(10000, 6)); !errors.Is(err, canary.ErrConflict) {
		t.Errorf("%v", err)
	}
	expect(t, replica, "bob", false, canary.ReasonSplit)
	if err := replica.Load(plain(0, 6)); !errors.Is(err, canary.ErrConflict) {
		t.Errorf("%v", err)
	}
	expect(t, replica, "alice", false, canary.ReasonStatic)
	load(t, replica, plain(500, 7))
	expect(t, replica, "alice", true, canary.ReasonSplit)
}

func TestReplicaEnvironment(t *testing.T) {
	for value, killed := range map[string]bool{"": false, "all": true, "r": true, "x, r\ty": true,
		"rr": false, "ALL": false, "x,all": true} {
		t.Setenv("CANARY_KILL", value)
		replica := newReplica(t, nil)
		os.Unsetenv("CANARY_KILL") // read when it is made, never again
		load(t, replica, plain(10000, 1))
		if replica.ShouldUseNew("alice") == killed {
			t.Errorf("CANARY_KILL=%q", value)
		}
	}
}

func TestReplicaManyGoroutines(t *testing.T) {
	replica := newReplica(t, nil)
	load(t, replica, plain(500, 1))
	var group sync.WaitGroup
	for range 2000 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 20 {
				if !replica.ShouldUseNew("alice") {
					t.Error("alice is below 5 % in every state that is loaded")
				}
			}
		}()
	}
	for revision := 2; revision < 100; revision++ {
		load(t, replica, plain(canary.BasisPoints(179+revision), revision))
	}
	group.Wait()
}

func TestReplicaAllocatesNothing(t *testing.T) {
	replica := replicaAt(t, "spring", 2500)
	user := strings.Repeat("u", 36)
	if n := testing.AllocsPerRun(1000, func() {
		replica.ShouldUseNew(user)
		replica.Explain(user)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What canaryctl prints is what a replica understands, through every kind of change.
func TestReplicaOfCanaryctl(t *testing.T) {
	tool := os.Getenv("CANARY_TEST_CANARYCTL")
	if tool == "" {
		t.Skip("CANARY_TEST_CANARYCTL does not say where canaryctl is")
	}
	database := filepath.Join(t.TempDir(), "canary.db")
	operate := func(input string, words ...string) []byte {
		t.Helper()
		command := exec.Command(tool, append([]string{"--db", database}, words...)...)
		command.Stdin = strings.NewReader(input)
		out, err := command.Output()
		if err != nil {
			t.Fatalf("canaryctl %v: %v", words, err)
		}
		return out
	}
	operate("", "create", "r", "--salt", "s:é")
	replica := newReplica(t, nil)
	users := []string{"alice", "bob", "carol", "b\xffob", "zero"}
	for i := range 2000 {
		users = append(users, "user-"+strconv.Itoa(i))
	}
	for _, words := range [][]string{
		{"advance"}, {"set", "--percent", "12.34"}, {"set", "--percent", "7.1"}, {"set", "--percent", "0.01"},
		{"override", "add", "alice", "new"}, {"override", "add", "b\xffob", "old"}, {"set", "--percent", "99.99"},
		{"flag", "off", "r"}, {"flag", "on", "r"}, {"override", "remove", "alice"}, {"set", "--percent", "100"},
		{"rollback"},
	} {
		operate("", words...)
		if err := replica.LoadWithOverrides(operate("", "status", "-o", "json"),
			operate("", "override", "list", "-o", "json")); err != nil {
			t.Fatalf("after %v: %v", words, err)
		}
		lines := strings.Split(string(operate(strings.Join(users, "\n")+"\n", "decide", "--stdin")), "\n")
		for i, user := range users {
			if _, cohort, _ := strings.Cut(lines[i], "\t"); cohort != replica.Explain(user).Cohort() {
				t.Errorf("after %v: canaryctl %q, replica %v", words, lines[i], replica.Explain(user))
			}
		}
	}
}

// A replica says of every outcome that it was not counted.
func TestReplicaDoesNotRecord(t *testing.T) {
	replica, err := canary.NewReplica("r", nil)
	if err != nil {
		t.Fatal(err)
	}
	var none *canary.Replica
	for _, recorder := range []canary.Recorder{replica, none} {
		decision := recorder.Explain("alice")
		for _, err := range []error{
			recorder.Record(decision, canary.Outcome{}), recorder.RecordUser("alice", true, canary.Outcome{}),
			recorder.RecordCohort(true, canary.Outcome{}), recorder.Expose(decision),
			recorder.Declare(canary.Metric{Name: "cost", Kind: canary.KindValue}),
		} {
			if !errors.Is(err, canary.ErrUnsupported) || !strings.Contains(err.Error(), "cgo") {
				t.Errorf("%v", err)
			}
		}
		failed := errors.New("no")
		request := recorder.Start(context.Background(), "alice")
		request.Measure(canary.Number("cost", 1))
		request.End(&failed)
		request.End(&failed)
		if request.New() || request.Status() != canary.StatusError || request.Duration() <= 0 {
			t.Errorf("%v after %v", request.Status(), request.Duration())
		}
	}
	info, err := replica.Recording()
	if err != nil || info.Dropped != 4 || info.Outcomes != 0 || !errors.Is(info.LastError, canary.ErrUnsupported) {
		t.Errorf("%+v %v", info, err)
	}
}
