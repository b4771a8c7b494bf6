// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"math"
	"time"
)

// A Query says which figures. The zero value is everything.
type Query struct {
	From time.Time // the first moment; zero = the oldest
	To   time.Time // and before it; zero = the newest
	// Window takes the place of From: so long before To, or before now.
	Window       time.Duration
	Step         time.Duration // one row of each metric for each step that has figures; a multiple of 10 s
	Generation   uint64        // this one only; 0 = all
	ByGeneration bool          // each generation by itself, oldest first
	Metric       string        // this one only; "" = all
	// Baseline asks for the captured baseline instead; with a Step of an hour by hour of the week, from
	// Monday 00:00 UTC; From and To, both, choose the hours of the week that this time touches.
	Baseline bool
}

// Above is how many durations were above a threshold.
type Above struct {
	Threshold time.Duration
	N         uint64 // durations that were compared with it
	Above     uint64
}

// Rate is Above / N; NaN of none.
func (a Above) Rate() float64 { return float64(a.Above) / float64(a.N) }

// Figures are those of one metric in one cohort. What its kind does not have, and what cannot be
// computed from no data, is 0 for counts and NaN for the rest; comparisons with NaN are false.
type Figures struct {
	N        uint64  // outcomes, or what was measured; classification: TP + FP + FN + TN
	K        uint64  // proportion: how many of N
	Rate     float64 // K / N
	Sum      float64 // duration: seconds; value, score: as recorded
	Mean     float64
	Variance float64 // of single values, with N - 1
	Minimum  float64
	Maximum  float64
	// Of a duration, in seconds, off by at most 0.8 % and a microsecond.
	P50, P90, P95, P99, P999 float64
	Overflow                 uint64 // durations longer than 71 minutes; quantiles there are +Inf
	TP, FP, FN, TN           uint64
	Precision, Recall, F1    float64
	Above                    []Above // one for each declared threshold
}

// A MetricRow is one metric over one step of time, cohort against cohort.
type MetricRow struct {
	Metric     string
	Kind       Kind
	Unit       string    // "" = none
	From       time.Time // first moment of the step. Of a baseline by hours: since Monday 00:00 at 1970-01-01
	To         time.Time // first moment after it
	Generation uint64    // the revision that began it; 0 where all generations are together
	Old, New   Figures
}

// Metrics are the figures of a rollout: built-in metrics first ("error", "timeout", "duration"), then
// declared ones by name; steps oldest first.
type Metrics struct {
	Rows     []MetricRow
	Damaged  int       // stored rows that were skipped because they are damaged
	Damage   string    // what is wrong with the first of them
	From     time.Time // first moment that has figures; zero = there are none
	To       time.Time // end of the last step that has some
	Rejected uint64    // outcomes and values that were rejected in that time
	Dropped  uint64    // outcomes that were lost for want of memory
	LastAt   time.Time // newest merge by any process; zero = none
}

// Row is the newest row of a metric: the only one, unless steps or generations were asked for.
func (m Metrics) Row(metric string) (row MetricRow, ok bool) {
	for i := len(m.Rows) - 1; i >= 0; i-- {
		if m.Rows[i].Metric == metric {
			return m.Rows[i], true
		}
	}
	return MetricRow{}, false
}

// An Exposure has decisions, and distinct users with one standard error each, in users.
type Exposure struct {
	Generation      uint64 // whose users these are; 0 = no generation has any
	Exact           bool   // every user is in the sample, and the numbers of users are exact
	DecisionsOld    map[Reason]uint64
	DecisionsNew    map[Reason]uint64 // 0 for outcomes that were recorded without their decision
	UsersOld        float64
	UsersNew        float64
	UsersOldError   float64
	UsersNewError   float64
	UsersTotal      float64 // of either cohort
	UsersTotalError float64
	SampledOld      uint64
	SampledNew      uint64
	SampledBoth     uint64  // users that are in the sample of both cohorts
	SampleShare     float64 // of all users, what belongs to the sample
	Damaged         int     // stored rows that were skipped because they are damaged
	Damage          string  // what is wrong with the first of them
}

// Flush merges what this process recorded for rollouts of this store into its metrics database, now.
// All of it is merged once and only once, however often a flush fails and is repeated. The library's
// thread does it every ten seconds; for programs with NoWatcher, for tests, and before a planned end.
func (s *Store) Flush(ctx context.Context) error {
	return s.do(ctx, measuring, "flush", "", func(c *C.canary_store, e *C.canary_error) C.int {
		return C.canary_flush(c, e)
	})
}

// c fills the C struct, but for the metric's name.
func (q *Query) c(s *Store, op, rollout string) (C.canary_metrics_query, error) {
	out := C.canary_metrics_query{size: C.sizeof_canary_metrics_query}
	fail := func(message string) (C.canary_metrics_query, error) {
		return out, &Error{Op: op, Name: rollout, Code: ErrInvalid, Message: message}
	}
	if err := checkText(op, rollout, rollout, q.Metric); err != nil {
		return out, err
	}
	from, to := q.From, q.To
	if q.Window != 0 {
		if !from.IsZero() || q.Window < 0 {
			return fail("a window is positive, and takes the place of From")
		}
		end := to
		if to.IsZero() {
			end = s.now()
		}
		from = end.Add(-q.Window)
	}
	for _, edge := range []struct {
		at  time.Time
		out *C.int64_t
	}{{from, &out.from_ns}, {to, &out.to_ns}} {
		if edge.at.IsZero() {
			continue
		}
		ns, ok := nanosecondsOf(edge.at)
		if !ok {
			return fail("the time " + edge.at.String() + " is not between 1970 and 2262")
		}
		*edge.out = ns
	}
	if q.ByGeneration {
		out.flags |= C.CANARY_METRICS_BY_GENERATION
	}
	if q.Baseline {
		out.flags |= C.CANARY_METRICS_BASELINE
	}
	out.step_ns = C.int64_t(q.Step)
	out.generation = C.uint64_t(q.Generation)
	return out, nil
}

// now is the time of the store's clock.
func (s *Store) now() time.Time {
	if s != nil && s.options.clock != nil {
		return time.Unix(0, s.options.clock.ns())
	}
	return time.Now()
}

// nanosecondsOf is a time as the library takes it, where 0 is an open end.
func nanosecondsOf(t time.Time) (C.int64_t, bool) {
	if t.Unix() < 0 || t.Unix() >= math.MaxInt64/int64(time.Second) {
		return 0, false
	}
	return C.int64_t(max(1, t.UnixNano())), true
}

//export canaryGoMetrics
func canaryGoMetrics(list C.uintptr_t, row *C.canary_metrics_row) C.int {
	thresholds := row.thresholds_ns[:min(int(row.threshold_count), len(row.thresholds_ns))]
	return add(list, MetricRow{
		Metric:     text(row.metric[:]),
		Kind:       Kind(row.kind),
		Unit:       text(row.unit[:]),
		From:       time.Unix(0, int64(row.from_ns)).UTC(),
		To:         time.Unix(0, int64(row.to_ns)).UTC(),
		Generation: uint64(row.generation),
		Old:        figuresOf(row.old_cohort, thresholds),
		New:        figuresOf(row.new_cohort, thresholds),
	})
}

func figuresOf(f *C.canary_figures, thresholds []C.int64_t) Figures {
	out := Figures{
		N: uint64(f.n), K: uint64(f.k), Rate: float64(f.rate),
		Sum: float64(f.sum), Mean: float64(f.mean), Variance: float64(f.variance),
		Minimum: float64(f.minimum), Maximum: float64(f.maximum),
		P50: float64(f.p50), P90: float64(f.p90), P95: float64(f.p95), P99: float64(f.p99),
		P999: float64(f.p999), Overflow: uint64(f.overflow),
		TP: uint64(f.tp), FP: uint64(f.fp), FN: uint64(f.fn), TN: uint64(f.tn),
		Precision: float64(f.precision), Recall: float64(f.recall), F1: float64(f.f1),
	}
	for i, threshold := range thresholds {
		out.Above = append(out.Above, Above{time.Duration(threshold), uint64(f.threshold_n[i]),
			uint64(f.threshold_above[i])})
	}
	return out
}

// Metrics reads the figures of a rollout that all processes merged: Flush before, for what this
// process recorded since its last tick. That nothing was recorded yet is no error.
func (s *Store) Metrics(ctx context.Context, rollout string, query Query) (Metrics, error) {
	asked, err := query.c(s, "metrics", rollout)
	if err != nil {
		return Metrics{}, err
	}
	told := make(chan Metrics, 1)
	rows, err := collectIn[MetricRow](ctx, s, measuring, "metrics", rollout, func(c *C.canary_store, list C.uintptr_t,
		e *C.canary_error) C.int {
		var values cCall
		defer values.release()
		question := asked
		question.metric = values.text(query.Metric)
		report := C.canary_metrics_report{size: C.sizeof_canary_metrics_report}
		code := C.bridge_metrics(c, values.exactly(rollout), &question, list, &report, e)
		if code == C.CANARY_OK {
			told <- Metrics{
				Damaged:  int(report.damaged),
				Damage:   text(report.damage[:]),
				From:     at(report.from_ns),
				To:       at(report.to_ns),
				Rejected: uint64(report.rejected),
				Dropped:  uint64(report.dropped),
				LastAt:   at(report.last_at_ns),
			}
		}
		return code
	})
	if err != nil {
		return Metrics{}, err
	}
	found := <-told
	found.Rows = rows
	return found, nil
}

// Exposure reads the decisions in the time of the query, and the distinct users of the generation it
// names; of the newest that has any where it names none. Users are not kept by time.
func (s *Store) Exposure(ctx context.Context, rollout string, query Query) (Exposure, error) {
	asked, err := query.c(s, "exposure", rollout)
	if err != nil {
		return Exposure{}, err
	}
	result := make(chan Exposure, 1)
	err = s.do(ctx, measuring, "exposure", rollout, func(c *C.canary_store, e *C.canary_error) C.int {
		var values cCall
		defer values.release()
		question := asked
		out := C.canary_exposure{size: C.sizeof_canary_exposure}
		code := C.canary_exposure_read(c, values.exactly(rollout), &question, &out, e)
		if code == C.CANARY_OK {
			result <- exposureOf(&out)
		}
		return code
	})
	if err != nil {
		return Exposure{}, err
	}
	return <-result, nil
}

func exposureOf(x *C.canary_exposure) Exposure {
	decisions := [2]map[Reason]uint64{{}, {}}
	for cohort := range x.decisions {
		for reason, count := range x.decisions[cohort] {
			if count != 0 {
				decisions[cohort][Reason(reason)] = uint64(count)
			}
		}
	}
	const old, new = C.CANARY_OLD, C.CANARY_NEW
	return Exposure{
		Generation:      uint64(x.generation),
		Exact:           x.sampled_all != 0,
		DecisionsOld:    decisions[old],
		DecisionsNew:    decisions[new],
		UsersOld:        float64(x.users[old]),
		UsersNew:        float64(x.users[new]),
		UsersOldError:   float64(x.users_error[old]),
		UsersNewError:   float64(x.users_error[new]),
		UsersTotal:      float64(x.users_total),
		UsersTotalError: float64(x.users_total_error),
		SampledOld:      uint64(x.sampled[old]),
		SampledNew:      uint64(x.sampled[new]),
		SampledBoth:     uint64(x.sampled_both),
		SampleShare:     float64(x.sample_share),
		Damaged:         int(x.damaged),
		Damage:          text(x.damage[:]),
	}
}

// Flush merges what this process recorded, of all rollouts of the store: see [Store.Flush].
func (r *Rollout) Flush(ctx context.Context) error { return r.Store().Flush(ctx) }

// Metrics reads the figures of the rollout: see [Store.Metrics].
func (r *Rollout) Metrics(ctx context.Context, query Query) (Metrics, error) {
	return r.Store().Metrics(ctx, r.Name(), query)
}

// Exposure reads the decisions and users of the rollout: see [Store.Exposure].
func (r *Rollout) Exposure(ctx context.Context, query Query) (Exposure, error) {
	return r.Store().Exposure(ctx, r.Name(), query)
}
