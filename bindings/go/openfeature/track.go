// SPDX-License-Identifier: MIT

package openfeature

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"libcanary.example/canary"
)

var _ of.Tracker = (*Provider)(nil)

// KeyFlag is the attribute of a tracked event that names the rollout it is about; without it the event
// happened to the user, and counts for every rollout.
const KeyFlag = "flag"

var outcomes = map[string]canary.Status{
	"ok": canary.StatusOK, "error": canary.StatusError, "timeout": canary.StatusTimeout,
}

// Track records an event for the cohort that the targeting key is decided to. "ok", "error" and
// "timeout" are outcomes, whose value is their duration in seconds, 0 for not measured. Any other name
// is a metric of Options.Metrics, and no request has ended: the value is its value, of a duration in
// seconds; details that were never filled are a hit of a proportion, and a classification has the
// attributes tp, fp, fn and tn. Attributes that are named like metrics are values besides.
//
// It never fails: what is not allowed is counted as rejected, and logged once.
func (p *Provider) Track(_ context.Context, event string, evaluation of.EvaluationContext,
	details of.TrackingEventDetails) {
	known := p.rollouts.Load()
	if known == nil {
		return
	}
	rollouts := *known
	if flag := details.Attribute(KeyFlag); flag != nil {
		name, _ := flag.(string)
		if rollouts[name] == nil {
			p.once("tracking: there is no such rollout", "rollout", fmt.Sprint(flag))
			return
		}
		rollouts = map[string]*watched{name: rollouts[name]}
	}
	outcome := canary.Outcome{Status: canary.StatusNone}
	if status, ended := outcomes[event]; ended {
		outcome.Status = status
		outcome.Duration = seconds(details.Value())
	} else {
		if _, declared := p.metrics[event]; !declared {
			p.once("tracking: this is neither an outcome nor a metric; counted as rejected", "event", event)
		}
		outcome.Values = append(outcome.Values, p.value(event, details))
	}
	for name, value := range details.Attributes() {
		if metric, declared := p.metrics[name]; declared && name != event && value != nil {
			outcome.Values = append(outcome.Values, measured(metric, value))
		}
	}
	for name, rollout := range rollouts {
		recorder, ok := rollout.Decider.(canary.Recorder)
		if !ok {
			continue
		}
		if err := record(recorder, evaluation.TargetingKey(), outcome); err != nil {
			p.once("tracking: not all of an event was counted", "rollout", name, "error", err.Error())
		}
	}
}

func record(recorder canary.Recorder, user string, outcome canary.Outcome) error {
	if user != "" {
		return recorder.Record(recorder.Explain(user), outcome)
	}
	// Nobody is known; but where everybody gets the old path, nobody has to be.
	standing := recorder.Explain(probe)
	if standing.Reason == canary.ReasonKilled || standing.Effective == 0 && standing.Reason == canary.ReasonStatic {
		return recorder.RecordCohort(false, outcome)
	}
	return recorder.RecordUser("", false, outcome) // which is rejected, and counted as that
}

// value is what an event that is named like a metric measured.
func (p *Provider) value(event string, details of.TrackingEventDetails) canary.Value {
	metric := p.metrics[event]
	switch {
	case metric.Kind == canary.KindClassification:
		counts := make([]any, 4)
		for i, name := range [...]string{"tp", "fp", "fn", "tn"} {
			if counts[i] = details.Attribute(name); counts[i] == nil {
				counts[i] = 0
			}
		}
		return measured(metric, counts)
	// The SDK has no word for "no value": these are details that nobody made.
	case reflect.ValueOf(details).IsZero():
		if metric.Kind == canary.KindProportion {
			return canary.Hit(event, true)
		}
		return canary.Number(event, math.NaN())
	case metric.Kind == 0:
		return canary.Number(event, details.Value())
	}
	return measured(metric, details.Value())
}

// measured is a value of a metric. What cannot be one is a value that the library rejects.
func measured(metric canary.Metric, value any) canary.Value {
	wrong := canary.Number(metric.Name, math.NaN())
	switch metric.Kind {
	case canary.KindClassification:
		list := reflect.ValueOf(value)
		if list.Kind() != reflect.Slice && list.Kind() != reflect.Array || list.Len() < 3 || list.Len() > 4 {
			return wrong
		}
		var counts [4]int
		for i := range list.Len() {
			count, ok := number(list.Index(i).Interface())
			if !ok || count != math.Trunc(count) || count < 0 || count > math.MaxUint32 {
				return wrong
			}
			counts[i] = int(count)
		}
		return canary.Classified(metric.Name, counts[0], counts[1], counts[2], counts[3])
	case canary.KindDuration:
		if took, ok := value.(time.Duration); ok {
			return canary.Took(metric.Name, took)
		}
		if took, ok := number(value); ok && took == 0 {
			return canary.Took(metric.Name, 0)
		} else if ok {
			return canary.Took(metric.Name, seconds(took))
		}
		return wrong
	case canary.KindProportion:
		if hit, ok := value.(bool); ok {
			return canary.Hit(metric.Name, hit)
		}
		if hit, ok := number(value); ok && (hit == 0 || hit == 1) {
			return canary.Hit(metric.Name, hit == 1)
		}
		return wrong
	}
	if found, ok := number(value); ok {
		return canary.Number(metric.Name, found)
	}
	return wrong
}

// seconds is a duration; what is none is one that the library rejects.
func seconds(value float64) time.Duration {
	switch ns := math.Round(value * 1e9); {
	case value == 0:
		return 0
	case ns >= 1 && ns < math.MaxInt64:
		return time.Duration(ns)
	case value > 0 && ns < 1:
		return 1
	}
	return -1
}

func number(value any) (float64, bool) {
	switch v := reflect.ValueOf(value); {
	case !v.IsValid():
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// expose counts an evaluation as a decision where the options ask for it.
func (p *Provider) expose(rollout canary.Decider, decision canary.Decision) {
	if recorder, ok := rollout.(canary.Recorder); ok && p.options.Expose {
		_ = recorder.Expose(decision)
	}
}

// declare declares the metrics for a rollout. What does not record at all is no reason not to decide.
func (p *Provider) declare(rollout canary.Decider) error {
	recorder, ok := rollout.(canary.Recorder)
	if !ok {
		return nil
	}
	for _, metric := range p.options.Metrics {
		if err := recorder.Declare(metric); err != nil {
			if _, is := rollout.(*canary.Replica); is {
				p.once("tracking: nothing is recorded", "rollout", rollout.Name(), "error", err.Error())
				return nil
			}
			return err
		}
	}
	return nil
}

// told are the lines that were logged: names come from the program, but nobody promised how many.
type told struct {
	mutex sync.Mutex
	lines map[string]bool
}

func (p *Provider) once(message string, words ...any) {
	if p.options.Logger == nil {
		return
	}
	line := fmt.Sprint(append([]any{message}, words...)...)
	p.told.mutex.Lock()
	known := p.told.lines[line] || len(p.told.lines) >= 1000
	if !known {
		if p.told.lines == nil {
			p.told.lines = map[string]bool{}
		}
		p.told.lines[line] = true
	}
	p.told.mutex.Unlock()
	if !known {
		p.options.Logger.Warn("canary: "+message, words...)
	}
}
