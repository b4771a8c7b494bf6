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
