// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libcanary.example/canary"
)

// skills is a rollout at 5 %, where alice gets the new path and bob the old one.
func skills() *canary.Rollout {
	ctx := context.Background()
	store, err := canary.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	store.Create(ctx, canary.Spec{Name: "skills"})
	store.Advance(ctx, "skills")
	rollout, err := store.Rollout(ctx, "skills", nil)
	if err != nil {
		log.Fatal(err)
	}
	return rollout
}

func newSkills(context.Context, string) (float64, error) { return 0.002, nil }

func oldSkills(context.Context, string) (float64, error) { return 0, errors.New("no model") }

func ExampleRollout_Start() {
	rollout := skills()
	defer rollout.Close()

	if err := rollout.Declare(canary.Metric{Name: "cost", Kind: canary.KindValue, Unit: "usd"}); err != nil {
		log.Print(err)
	}
	answer := func(ctx context.Context, user string) (err error) {
		request := rollout.Start(ctx, user)
		defer request.End(&err)
		work := oldSkills
		if request.New() {
			work = newSkills
		}
		cost, err := work(ctx, user)
		request.Measure(canary.Number("cost", cost))
		return err
	}
	fmt.Println(answer(context.Background(), "alice"))
	fmt.Println(answer(context.Background(), "bob"))
	rollout.Flush(context.Background())
	metrics, _ := rollout.Metrics(context.Background(), canary.Query{})
	for _, row := range metrics.Rows {
		fmt.Println(row.Metric, row.Old.N, row.Old.K, row.New.N, row.New.K)
	}
	// Output:
	// <nil>
	// no model
	// error 1 1 1 0
	// timeout 1 0 1 0
	// duration 1 0 1 0
	// cost 1 0 1 0
}

func ExampleRollout_Record() {
	rollout := skills()
	defer rollout.Close()
	ctx, user := context.Background(), "alice"

	decision := rollout.Explain(user)
	begin := time.Now()
	_, err := newSkills(ctx, user)
	outcome := canary.Outcome{Duration: time.Since(begin)}
	if err != nil {
		outcome.Status = canary.StatusError
	}
	rollout.Record(decision, outcome)

	recording, _ := rollout.Recording()
	fmt.Println(recording.Outcomes, "recorded,", recording.RejectedTotal(), "rejected")
	// Output: 1 recorded, 0 rejected
}

func ExampleStore_Metrics() {
	rollout := skills()
	defer rollout.Close()
	ctx, store := context.Background(), rollout.Store()
	for range 100 {
		rollout.Record(rollout.Explain("alice"), canary.Outcome{Duration: 250 * time.Millisecond})
	}
	rollout.Flush(ctx)

	show := func() error {
		metrics, err := store.Metrics(ctx, "skills", canary.Query{Window: time.Hour})
		if err != nil {
			return err
		}
		if row, ok := metrics.Row("duration"); ok {
			fmt.Printf("p95 %.2f s of %d requests\n", row.New.P95, row.New.N)
		}
		return nil
	}
	fmt.Println(show())
	// Output:
	// p95 0.25 s of 100 requests
	// <nil>
}

func ExampleStore_Import() {
	rollout := skills()
	defer rollout.Close()
	ctx, store := context.Background(), rollout.Store()

	deliver := func() error {
		became, err := store.Import(ctx, "skills", "nightly-2026-11-20", []canary.ImportRow{
			{New: true, Metric: "f1", Kind: canary.KindClassification, Declare: true, TP: 91, FP: 9, FN: 9},
			{New: false, Metric: "f1", TP: 80, FP: 20, FN: 20},
		})
		if err != nil {
			return err
		}
		for i, refused := range became.Refused {
			if refused != nil {
				log.Printf("row %d: %v", i, refused)
			}
		}
		fmt.Println(became.OK(), became.Repeated)
		return nil
	}
	fmt.Println(deliver())
	fmt.Println(deliver())
	// Output:
	// true false
	// <nil>
	// true true
	// <nil>
}
