// SPDX-License-Identifier: MIT

package openfeature_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	canaryof "libcanary.example/canary/openfeature"
)

var background = context.Background()

// client binds the provider to a domain of its own, so that tests do not meet.
func client(t testing.TB, provider *canaryof.Provider) *of.Client {
	t.Helper()
	if err := of.SetNamedProviderAndWait(t.Name(), provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Shutdown() })
	return of.NewClient(t.Name())
}

func user(id string) of.EvaluationContext { return of.NewEvaluationContext(id, nil) }

type want struct {
	value   bool
	variant string
	reason  of.Reason
	code    of.ErrorCode
}

func expect(t *testing.T, c *of.Client, flag string, by of.EvaluationContext, defaultValue bool, w want) of.FlagMetadata {
	t.Helper()
	details, err := c.BooleanValueDetails(background, flag, defaultValue, by)
	got := want{details.Value, details.Variant, details.Reason, details.ErrorCode}
	if got != w || (err != nil) != (w.code != "") {
		t.Errorf("%s: %+v, want %+v (%v)", flag, got, w, err)
	}
	return details.FlagMetadata
}

func status(name string, share canary.BasisPoints, revision uint64, from, to string) []byte {
	text := string(canarytest.Status(name, share, revision))
	if !strings.Contains(text, from) {
		panic("there is no " + from)
	}
	return []byte(strings.Replace(text, from, to, 1))
}

func TestEvaluation(t *testing.T) {
	now := time.Unix(1000, 0)
	var mutex sync.Mutex
	stale, err := canary.NewReplica("stale", &canary.ReplicaOptions{StaleAfter: time.Minute,
		Now: func() time.Time { mutex.Lock(); defer mutex.Unlock(); return now }})
	if err != nil {
		t.Fatal(err)
	}
	load := func(replica *canary.Replica, text []byte) {
		t.Helper()
		if err := replica.Load(text); err != nil {
			t.Fatal(err)
		}
	}
	load(stale, canarytest.Status("stale", canary.Everybody, 1))
	mutex.Lock()
	now = now.Add(time.Hour)
	mutex.Unlock()
	killed := canarytest.Replica(t, "killed", canary.Everybody)
	load(killed, status("killed", canary.Everybody, 2, `"killed": false`, `"killed": true`))
	pinned := canarytest.Replica(t, "pinned", 0)
	if err := pinned.LoadWithOverrides(status("pinned", 0, 2, `"new": 0`, `"new": 1`),
		[]byte(`[{"user": "alice", "cohort": "new"}]`)); err != nil {
		t.Fatal(err)
	}
	empty, _ := canary.NewReplica("empty", nil)
	c := client(t, canaryof.NewFromDeciders([]canary.Decider{
		canarytest.Replica(t, "split", 5*canary.Percent), canarytest.Replica(t, "all", canary.Everybody),
		canarytest.Replica(t, "none", 0), stale, killed, pinned, empty, nil, (*canary.Replica)(nil),
	}, nil))

	metadata := expect(t, c, "split", user("alice"), false, want{true, "new", of.SplitReason, ""})
	for key, value := range map[string]any{"stage": int64(0), "percentage": 5.0, "bucket": int64(178),
		"version": "1", "contextId": "alice"} {
		if metadata[key] != value {
			t.Errorf("%s is %#v, want %#v", key, metadata[key], value)
		}
	}
	if _, has := metadata["killSwitch"]; has {
		t.Error("killSwitch without a kill")
	}
	expect(t, c, "split", user("bob"), true, want{false, "old", of.SplitReason, ""})
	expect(t, c, "all", user("bob"), false, want{true, "new", of.StaticReason, ""})
	expect(t, c, "none", user("bob"), true, want{false, "old", of.StaticReason, ""})
	expect(t, c, "pinned", user("alice"), false, want{true, "new", of.TargetingMatchReason, ""})

	// The caller's default may be the new path: a kill and a closed rollout stand above it.
	metadata = expect(t, c, "killed", user("bob"), true, want{false, "old", of.StaticReason, ""})
	if metadata["killSwitch"] != true {
		t.Errorf("%v", metadata)
	}
	expect(t, c, "killed", user(""), true, want{false, "old", of.StaticReason, ""})
	expect(t, c, "none", user(""), true, want{false, "old", of.StaticReason, ""})

	metadata = expect(t, c, "stale", user("bob"), true, want{false, "old", "STALE", ""})
	if metadata["age"] != 3600.0 {
		t.Errorf("age %v", metadata["age"])
	}

	missing := want{true, "", of.ErrorReason, of.TargetingKeyMissingCode}
	expect(t, c, "split", user(""), true, missing)
	expect(t, c, "all", of.EvaluationContext{}, true, missing)
	expect(t, c, "all", of.NewTargetlessEvaluationContext(map[string]any{"targetingKey": 5}), true,
		want{true, "", of.ErrorReason, of.InvalidContextCode})
	expect(t, c, "other", user("bob"), true, want{true, "", of.ErrorReason, of.FlagNotFoundCode})
	expect(t, c, "empty", user("bob"), false, want{false, "", of.ErrorReason, of.ProviderNotReadyCode})

	text, err := c.StringValueDetails(background, "split", "x", user("alice"))
	if text.Value != "x" || text.ErrorCode != of.TypeMismatchCode || err == nil {
		t.Errorf("%+v %v", text, err)
	}
	number, _ := c.IntValueDetails(background, "split", 7, user("alice"))
	float, _ := c.FloatValueDetails(background, "split", 7, user("alice"))
	object, _ := c.ObjectValueDetails(background, "other", 7, user("alice"))
	if number.ErrorCode != of.TypeMismatchCode || float.ErrorCode != of.TypeMismatchCode ||
		object.ErrorCode != of.FlagNotFoundCode || number.Value != 7 {
		t.Errorf("%+v %+v %+v", number, float, object)
	}
}

// heard collects events of a kind.
func heard(c *of.Client, kind of.EventType) <-chan of.EventDetails {
	events := make(chan of.EventDetails, 100)
	callback := func(details of.EventDetails) { events <- details }
	c.AddHandler(kind, &callback)
	return events
}

func await(t *testing.T, events <-chan of.EventDetails, flag string) {
	t.Helper()
	select {
	case event := <-events:
		if flag != "" && (len(event.FlagChanges) != 1 || event.FlagChanges[0] != flag) {
			t.Errorf("%+v, want a change of %s", event, flag)
		}
	case <-time.After(time.Minute):
		t.Fatal("the event did not come")
	}
}

func state(t *testing.T, c *of.Client, wanted of.State) {
	t.Helper()
	for range 1000 {
		if c.State() == wanted {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("state %s, want %s", c.State(), wanted)
}

func TestEventsOfReplicas(t *testing.T) {
	var mutex sync.Mutex
	now := time.Unix(1000, 0)
	replica, err := canary.NewReplica("r", &canary.ReplicaOptions{StaleAfter: time.Minute,
		Now: func() time.Time { mutex.Lock(); defer mutex.Unlock(); return now }})
	if err != nil {
		t.Fatal(err)
	}
	replica.Load(canarytest.Status("r", 100, 1))
	c := client(t, canaryof.NewFromDeciders([]canary.Decider{replica}, &canaryof.Options{Poll: time.Millisecond}))
	changes, stales, readies := heard(c, of.ProviderConfigChange), heard(c, of.ProviderStale), heard(c, of.ProviderReady)
	await(t, readies, "") // at once, for it is
	replica.Load(canarytest.Status("r", 200, 2))
	await(t, changes, "r")
	replica.Kill()
	await(t, changes, "r")
	replica.Revive()
	await(t, changes, "r")
	mutex.Lock()
	now = now.Add(time.Hour)
	mutex.Unlock()
	await(t, stales, "r")
	state(t, c, of.StaleState)
	replica.Load(canarytest.Status("r", 200, 2))
	await(t, readies, "")
	state(t, c, of.ReadyState)
	select {
	case event := <-changes:
		t.Errorf("to get old is no change: %+v", event)
	case <-time.After(20 * time.Millisecond):
	}
}

// SDKs take a change for a sign that the provider is ready: what is stale is told again after it.
func TestStaleStaysStaleWhenAnotherMoves(t *testing.T) {
	old, err := canary.NewReplica("old", &canary.ReplicaOptions{StaleAfter: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	old.Load(canarytest.Status("old", 100, 1))
	fresh := canarytest.Replica(t, "fresh", 100)
	c := client(t, canaryof.NewFromDeciders([]canary.Decider{old, fresh}, &canaryof.Options{Poll: time.Millisecond}))
	changes := heard(c, of.ProviderConfigChange)
	state(t, c, of.StaleState)
	fresh.Load(canarytest.Status("fresh", 200, 2))
	await(t, changes, "fresh")
	state(t, c, of.StaleState)
}

func TestShutdownAndAgain(t *testing.T) {
	provider := canaryof.NewFromDeciders([]canary.Decider{canarytest.Replica(t, "r", canary.Everybody)}, nil)
	flat := of.FlattenedContext{of.TargetingKey: "alice"}
	for range 3 {
		if d := provider.BooleanEvaluation(background, "r", false, flat); d.Value || d.Reason != of.ErrorReason ||
			!strings.HasPrefix(d.ResolutionError.Error(), string(of.ProviderNotReadyCode)) {
			t.Errorf("%+v", d)
		}
		if err := provider.Init(of.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		if d := provider.BooleanEvaluation(background, "r", false, flat); !d.Value {
			t.Errorf("%+v", d)
		}
		provider.Shutdown()
		provider.Shutdown()
	}
}

func TestManyGoroutines(t *testing.T) {
	replica := canarytest.Replica(t, "r", 50*canary.Percent)
	provider := canaryof.NewFromDeciders([]canary.Decider{replica}, &canaryof.Options{Poll: time.Millisecond})
	c := client(t, provider)
	var group sync.WaitGroup
	for i := range 1000 {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range 10 {
				id := fmt.Sprint(i, "/", n)
				if isNew, err := c.BooleanValue(background, "r", false, user(id)); err == nil &&
					isNew && canary.BucketOf(canary.Hash("", id)) >= 5000 {
					t.Error("new above the share")
				}
			}
		}()
	}
	provider.Shutdown()
	if err := provider.Init(of.EvaluationContext{}); err != nil {
		t.Error(err)
	}
	group.Wait()
}

func BenchmarkBooleanValue(b *testing.B) {
	c := client(b, canaryof.NewFromDeciders([]canary.Decider{canarytest.Pin("r", "alice")}, nil))
	b.ReportAllocs()
	for b.Loop() {
		c.BooleanValue(background, "r", false, user("alice"))
	}
}
