// SPDX-License-Identifier: MIT

//go:build cgo

package openfeature_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	canaryof "libcanary.example/canary/openfeature"
)

var quick = &canaryof.Options{Poll: 2 * time.Millisecond, Discover: 10 * time.Millisecond}

func onDisk(t *testing.T) (*canary.Store, string) {
	path := filepath.Join(t.TempDir(), "canary.db")
	store, err := canary.OpenStore(background, path, &canary.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if _, err = store.Create(background, canary.Spec{Name: "checkout"}); err != nil {
		t.Fatal(err)
	}
	return store, path
}

func TestStore(t *testing.T) {
	operator, path := onDisk(t)
	store, err := canary.OpenStore(background, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := client(t, canaryof.New(store, quick))
	changes := heard(c, of.ProviderConfigChange)
	expect(t, c, "checkout", user("alice"), true, want{false, "old", of.StaticReason, ""})
	move := func(_ canary.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		await(t, changes, "checkout")
	}
	move(operator.SetPercentage(background, "checkout", 5*canary.Percent))
	expect(t, c, "checkout", user("alice"), false, want{true, "new", of.SplitReason, ""})
	expect(t, c, "checkout", user("bob"), false, want{false, "old", of.SplitReason, ""})
	move(operator.SetOverride(background, "checkout", true, []string{"bob"}))
	expect(t, c, "checkout", user("bob"), false, want{true, "new", of.TargetingMatchReason, ""})
	move(operator.SetFlag(background, "checkout", false))
	if metadata := expect(t, c, "checkout", user("bob"), true, want{false, "old", of.StaticReason, ""}); metadata["killSwitch"] != true {
		t.Errorf("%v", metadata)
	}
	move(operator.SetFlag(background, "checkout", true))
	move(operator.Rollback(background, "checkout", 0))
	expect(t, c, "checkout", user("alice"), true, want{false, "old", of.StaticReason, ""})

	// One that was not there when the provider began.
	expect(t, c, "search", user("alice"), true, want{true, "", of.ErrorReason, of.FlagNotFoundCode})
	if _, err := operator.Create(background, canary.Spec{Name: "search"}); err != nil {
		t.Fatal(err)
	}
	for found := false; !found; { // a rollback is two changes: rung, and then recorded
		select {
		case event := <-changes:
			found = slices.Contains(event.FlagChanges, "search")
		case <-time.After(time.Minute):
			t.Fatal("the event did not come")
		}
	}
	expect(t, c, "search", user("alice"), true, want{false, "old", of.StaticReason, ""})
}

func TestStoreThatCannotBeRead(t *testing.T) {
	store, path := onDisk(t)
	store.Close()
	provider := canaryof.New(store, quick)
	err := of.SetNamedProviderAndWait(t.Name(), provider)
	if err == nil {
		t.Fatal("a closed store")
	}
	c := of.NewClient(t.Name())
	if c.State() != of.ErrorState {
		t.Errorf("state %s", c.State())
	}
	expect(t, c, "checkout", user("alice"), false, want{false, "", of.ErrorReason, of.ProviderNotReadyCode})

	// Moved away while it runs: the last state stays, and its age is told.
	store, err = canary.OpenStore(background, path, &canary.Options{Tick: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c = client(t, canaryof.New(store, &canaryof.Options{Poll: 2 * time.Millisecond,
		Discover: 10 * time.Millisecond, StaleAfter: 3 * time.Second}))
	stales, readies := heard(c, of.ProviderStale), heard(c, of.ProviderReady)
	await(t, readies, "")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	await(t, stales, "checkout")
	state(t, c, of.StaleState)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	await(t, readies, "")
	state(t, c, of.ReadyState)
}

func TestProviderClosesWhatItOpened(t *testing.T) {
	store, _ := onDisk(t)
	provider := canaryof.New(store, quick)
	for range 50 {
		if err := provider.Init(of.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		provider.Shutdown()
	}
	if _, err := store.Read(background, "checkout"); err != nil {
		t.Errorf("the store is the caller's: %v", err)
	}
}

func ExampleNew() {
	store, err := canary.OpenMemory(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	store.Create(background, canary.Spec{Name: "checkout"})
	store.Advance(background, "checkout")

	ask := func(ctx context.Context, user string) error {
		provider := canaryof.New(store, nil)
		if err := openfeature.SetProviderAndWait(provider); err != nil {
			return err
		}
		client := openfeature.NewClient("shop")
		isNew, err := client.BooleanValue(ctx, "checkout", false, openfeature.NewEvaluationContext(user, nil))
		fmt.Println(user, isNew)
		return err
	}
	fmt.Println(ask(background, "alice"))
	fmt.Println(ask(background, "bob"))
	openfeature.Shutdown()
	// Output:
	// alice true
	// <nil>
	// bob false
	// <nil>
}

func BenchmarkBooleanValueOfAStore(b *testing.B) {
	rollout := canarytest.Rollout(b, "r", 50*canary.Percent)
	c := client(b, canaryof.New(rollout.Store(), nil))
	b.ReportAllocs()
	for b.Loop() {
		c.BooleanValue(background, "r", false, user("alice"))
	}
}
