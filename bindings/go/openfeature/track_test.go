// SPDX-License-Identifier: MIT

//go:build cgo

package openfeature_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
	"libcanary.example/canary/canarytest"
	canaryof "libcanary.example/canary/openfeature"
)

var tracked = []canary.Metric{
	{Name: "cost", Kind: canary.KindValue, Unit: "usd"}, {Name: "bought", Kind: canary.KindProportion},
	{Name: "f1", Kind: canary.KindClassification}, {Name: "wait", Kind: canary.KindDuration},
	{Name: "quality", Kind: canary.KindScore, Maximum: 5},
}

// tracking has two rollouts at 50 %: alice is new in both, user-1 old; and one that is open to nobody.
func tracking(t *testing.T, options canaryof.Options) (*of.Client, *canary.Store) {
	t.Helper()
	store := canarytest.Store(t)
	for name, share := range map[string]canary.BasisPoints{"skills": 5000, "search": 5000, "shut": 0} {
		_, err := store.Create(background, canary.Spec{Name: name})
		if err == nil && share != 0 {
			_, err = store.SetPercentage(background, name, share)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	options.Metrics = tracked
	return client(t, canaryof.New(store, &options)), store
}

func merged(t *testing.T, store *canary.Store, rollout string) canary.Metrics {
	t.Helper()
	err := store.Flush(background)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Metrics(background, rollout, canary.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func figuresOf(t *testing.T, store *canary.Store, rollout, metric string) canary.MetricRow {
	t.Helper()
	row, _ := merged(t, store, rollout).Row(metric)
	return row
}

func details(value float64, attributes ...any) of.TrackingEventDetails {
	made := of.NewTrackingEventDetails(value)
	for i := 0; i < len(attributes); i += 2 {
		made = made.Add(attributes[i].(string), attributes[i+1])
	}
	return made
}

func TestTrackingOutcomes(t *testing.T) {
	c, store := tracking(t, canaryof.Options{})
	c.Track(background, "ok", user("alice"), details(0.25, "flag", "skills", "cost", 0.5, "else", "b"))
	c.Track(background, "error", user("user-1"), details(0, "flag", "skills"))
	c.Track(background, "timeout", user("alice"), details(2, "flag", "skills"))
	failed, late := figuresOf(t, store, "skills", "error"), figuresOf(t, store, "skills", "timeout")
	if failed.New.N != 2 || failed.Old.K != 1 || late.New.K != 1 {
		t.Errorf("%+v %+v", failed, late)
	}
	took, cost := figuresOf(t, store, "skills", "duration"), figuresOf(t, store, "skills", "cost")
	if took.New.Sum != 2.25 || took.Old.N != 0 || cost.New.Sum != 0.5 {
		t.Errorf("%+v %+v", took, cost)
	}
	shown, err := store.Exposure(background, "skills", canary.Query{})
	if err != nil || shown.UsersTotal != 2 || shown.DecisionsNew[canary.ReasonSplit] != 2 {
		t.Errorf("%+v %v", shown, err)
	}
	if len(merged(t, store, "search").Rows) != 0 {
		t.Error("counted for another rollout")
	}
	// Without a flag it happened to the user, whatever was evaluated.
	c.Track(background, "ok", user("alice"), of.TrackingEventDetails{})
	if figuresOf(t, store, "skills", "error").New.N != 3 || figuresOf(t, store, "search", "error").New.N != 1 ||
		figuresOf(t, store, "shut", "error").Old.N != 1 {
		t.Error("not counted for every rollout")
	}
}

func TestTrackingMetrics(t *testing.T) {
	c, store := tracking(t, canaryof.Options{})
	c.Track(background, "bought", user("alice"), of.TrackingEventDetails{})
	c.Track(background, "bought", user("alice"), details(0))
	c.Track(background, "cost", user("user-1"), details(1.5, "flag", "skills"))
	c.Track(background, "wait", user("alice"), details(0.5))
	c.Track(background, "wait", user("alice"), details(0))
	c.Track(background, "f1", user("alice"), details(0, "tp", 9, "fp", int64(1), "fn", 1.0))
	c.Track(background, "ok", user("alice"), details(0, "bought", true, "quality", float32(4), "wait", 500*time.Millisecond,
		"f1", []int{9, 1, 1}, "cost", nil))
	if bought := figuresOf(t, store, "skills", "bought").New; bought.N != 3 || bought.K != 2 {
		t.Errorf("%+v", bought)
	}
	if cost := figuresOf(t, store, "skills", "cost"); cost.Old.Sum != 1.5 || cost.New.N != 0 {
		t.Errorf("%+v", cost)
	}
	if wait := figuresOf(t, store, "skills", "wait").New; wait.N != 3 || wait.Sum != 1 {
		t.Errorf("%+v", wait)
	}
	if f1 := figuresOf(t, store, "skills", "f1").New; f1.TP != 18 || math.Abs(f1.F1-0.9) > 1e-12 {
		t.Errorf("%+v", f1)
	}
	if quality := figuresOf(t, store, "skills", "quality").New; quality.Mean != 4 {
		t.Errorf("%+v", quality)
	}
	if failed := figuresOf(t, store, "skills", "error").New; failed.N != 1 {
		t.Errorf("%+v: a metric is no outcome", failed)
	}
	c.Track(background, "quality", user("user-1"), details(3, "quality", 1))
	if quality := figuresOf(t, store, "skills", "quality").Old; quality.N != 1 || quality.Sum != 3 {
		t.Errorf("%+v: counted twice", quality)
	}
	c.Track(background, "ok", user("user-1"), details(1e-12))
	if took := figuresOf(t, store, "skills", "duration").Old; took.N != 1 {
		t.Errorf("%+v: not measured", took)
	}
	if found := merged(t, store, "search"); found.Rejected != 0 {
		t.Errorf("%d rejected", found.Rejected)
	}
}

func TestTrackingNeverFails(t *testing.T) {
	var log bytes.Buffer
	c, store := tracking(t, canaryof.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		c.Track(background, "clicked", user("alice"), details(1))
		c.Track(background, "ok", of.EvaluationContext{}, details(1))
		c.Track(background, "ok", user("alice"), details(1, "flag", "none"))
		c.Track(background, "ok", user("alice"), details(1, "flag", 7))
	}
	wrong := []any{"cost", "much", "bought", 0.5, "wait", "1s", "f1", []int{1}, "quality", 9}
	c.Track(background, "ok", user("alice"), details(1, append(wrong, "flag", "skills")...))
	for _, value := range []float64{-1, math.NaN(), math.Inf(1), 1e300} {
		c.Track(background, "ok", user("alice"), details(value, "flag", "skills"))
		c.Track(background, "wait", user("alice"), details(value, "flag", "skills"))
	}
	c.Track(background, "cost", user("alice"), of.TrackingEventDetails{})
	c.Track(background, "f1", user("alice"), details(0, "tp", "9"))
	c.Track(background, "f1", user("alice"), details(0, "tp", 1.5))
	found := merged(t, store, "skills")
	if found.Rejected != 3+3+5+8+3 {
		t.Errorf("%d rejected", found.Rejected)
	}
	if failed, _ := found.Row("error"); failed.New.N != 1 || failed.Old.N != 0 {
		t.Errorf("%+v", failed)
	}
	// Where nobody gets the new path, nobody has to be known.
	if figuresOf(t, store, "shut", "error").Old.N != 3 {
		t.Error("not counted where everybody is old")
	}
	if _, err := store.SetFlag(background, "search", false); err != nil {
		t.Fatal(err)
	}
	c.Track(background, "ok", of.EvaluationContext{}, details(1, "flag", "search"))
	if figuresOf(t, store, "search", "error").Old.N != 1 {
		t.Error("not counted where a kill makes everybody old")
	}
	for _, once := range []string{"event=clicked", "rollout=none", "rollout=7"} {
		if strings.Count(log.String(), once) != 1 {
			t.Errorf("%s in\n%s", once, log.String())
		}
	}
	canaryof.New(store, nil).Track(background, "ok", user("alice"), details(1)) // not initialised
}

func TestEvaluationsCountWhereThatIsAskedFor(t *testing.T) {
	for _, expose := range []bool{false, true} {
		t.Run("", func(t *testing.T) {
			c, store := tracking(t, canaryof.Options{Expose: expose})
			c.BooleanValue(background, "skills", false, user("alice"))
			c.BooleanValue(background, "skills", false, user("user-1"))
			if err := store.Flush(background); err != nil {
				t.Fatal(err)
			}
			shown, err := store.Exposure(background, "skills", canary.Query{})
			if err != nil || (shown.UsersTotal == 2) != expose || (shown.UsersTotal == 0) == expose {
				t.Errorf("%+v %v", shown, err)
			}
		})
	}
}

func TestMetricsThatCannotBeDeclared(t *testing.T) {
	store, _ := onDisk(t)
	provider := canaryof.New(store, &canaryof.Options{Metrics: []canary.Metric{{Name: "No", Kind: canary.KindValue}}})
	if err := provider.InitWithContext(context.Background(), of.EvaluationContext{}); err == nil ||
		!strings.Contains(err.Error(), "No") {
		t.Error(err)
	}
	// A replica decides all the same.
	replica := canarytest.Replica(t, "r", canary.Everybody)
	c := client(t, canaryof.NewFromDeciders([]canary.Decider{replica}, &canaryof.Options{Metrics: tracked, Expose: true}))
	expect(t, c, "r", user("alice"), false, want{true, "new", of.StaticReason, ""})
	c.Track(background, "ok", user("alice"), details(1))
	if info, _ := replica.Recording(); info.Dropped != 1 {
		t.Errorf("%+v", info)
	}
}
