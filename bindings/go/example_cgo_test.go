// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"libcanary.example/canary"
)

func Example() {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "canary")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "canary.db")

	store, err := canary.OpenStore(ctx, path, &canary.Options{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err = store.Create(ctx, canary.Spec{Name: "checkout"}, canary.By("ann")); err != nil {
		log.Fatal(err)
	}

	rollout, err := store.Rollout(ctx, "checkout", nil)
	if err != nil {
		log.Print(err) // everybody gets the old path: a nil *Rollout decides "old"
	}
	defer rollout.Close()
	fmt.Println("alice:", rollout.ShouldUseNew("alice"))
	_, err = store.Advance(ctx, "checkout", canary.By("ann"), canary.Note("looks good"))
	fmt.Println("alice:", rollout.ShouldUseNew("alice"), err)
	_, err = store.Rollback(ctx, "checkout", 0, canary.By("ann"))
	fmt.Println("alice:", rollout.ShouldUseNew("alice"), err)
	// Output:
	// alice: false
	// alice: true <nil>
	// alice: false <nil>
}

func ExampleError() {
	store, err := canary.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	store.Create(ctx, canary.Spec{Name: "checkout"})

	_, err = store.Advance(ctx, "checkout", canary.ExpectStage(2))
	if errors.Is(err, canary.ErrConflict) {
		fmt.Println("somebody was faster")
	}
	var known *canary.Error
	if errors.As(err, &known) {
		fmt.Println(known.Op, known.Name, known.Code.Name())
	}
	// Output:
	// somebody was faster
	// advance checkout CANARY_E_CONFLICT
}

// What the pages show, on a store that is there.
func ExampleOpen() {
	path, remove := storeAt("checkout")
	defer remove()
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		log.Fatal(err)
	}
	ctx, user := context.Background(), "alice"

	rollout, err := canary.Open(ctx, "canary.db", "checkout", nil)
	if err != nil {
		log.Print("everybody gets the old path: ", err)
	}
	defer rollout.Close()
	if rollout.ShouldUseNew(user) {
		fmt.Println("new checkout")
	} else {
		fmt.Println("old checkout")
	}
	// Output: old checkout
}

func ExampleStore_Advance() {
	path, remove := storeAt("checkout")
	defer remove()
	ctx := context.Background()
	store, err := canary.OpenStore(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	_, err = store.Advance(ctx, "checkout", canary.By("ann"), canary.ExpectStage(1))
	if errors.Is(err, canary.ErrConflict) {
		log.Print("somebody was faster: ", err)
	}
	var failed *canary.Error
	if errors.As(err, &failed) && failed.InEffect {
		log.Print("not recorded, but exposure is lowered")
	}
	fmt.Println(failed.Code.Name())
	// Output: CANARY_E_CONFLICT
}

func ExampleStore_SetPercentage() {
	path, remove := storeAt("checkout")
	defer remove()
	ctx := context.Background()
	store, err := canary.OpenStore(ctx, path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	state, err := store.Read(ctx, "checkout")
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = store.SetPercentage(ctx, "checkout", 25*canary.Percent, canary.ExpectRevision(state.Revision))
	if errors.Is(err, canary.ErrUnfinished) {
		log.Print("look again: the change may still be made: ", err)
	}
	fmt.Println(err)
	// Output: <nil>
}

// storeAt makes a store with a rollout in a directory of its own.
func storeAt(rollout string) (path string, remove func()) {
	directory, err := os.MkdirTemp("", "canary")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(directory, "canary.db")
	store, err := canary.OpenStore(context.Background(), path, &canary.Options{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err = store.Create(context.Background(), canary.Spec{Name: rollout}); err != nil {
		log.Fatal(err)
	}
	here, _ := os.Getwd()
	return path, func() { os.Chdir(here); os.RemoveAll(directory) }
}
