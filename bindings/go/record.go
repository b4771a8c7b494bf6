// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#cgo noescape bridge_record
#cgo nocallback bridge_record
#cgo noescape bridge_record_user
#cgo nocallback bridge_record_user
#cgo noescape bridge_record_cohort
#cgo nocallback bridge_record_cohort
#cgo noescape bridge_expose
#cgo nocallback bridge_expose
#include "bridge.h"
*/
import "C"

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
	"unsafe"
)

// counting is what a Request records in.
type counting = Rollout

var _ Recorder = (*Rollout)(nil)

// declared is a metric's number in the C library, and its kind.
type declared struct {
	handle C.int32_t
	kind   Kind
}

// Start begins a request: decides, and takes the time until its End. ctx is asked by End alone,
// whether its deadline has passed. A request that stays where it began needs no memory of the heap.
func (r *Rollout) Start(ctx context.Context, user string) *Request {
	// Small enough to be part of its caller, so that the request can be on the caller's stack.
	q := new(Request)
	r.start(q, ctx, user)
	return q
}

func (r *Rollout) start(q *Request, ctx context.Context, user string) {
	q.ctx, q.decision, q.rollout = ctx, r.Explain(user), r
	q.begin = q.since() // as of nothing
}

// since is the time that went by on the clock of the store.
func (r *Rollout) since(begin int64) int64 {
	if clock := r.store.options.clock; clock != nil {
		return clock.ns() - begin
	}
	return monotonic() - begin
}

// Record counts how a request ended for the cohort that was decided, whatever happened to the
// percentage since; and the decision with its reason, and its user for the number of distinct users.
// One call of C, without lock or allocation; more than eight values take further calls.
//
// What is not allowed is counted as rejected, which Recording shows: a whole outcome with an unknown
// status, or a duration that is negative or above three days; or one value, while the rest of its
// outcome counts. The error tells of it, and may be ignored.
func (r *Rollout) Record(decision Decision, outcome Outcome) error {
	if r == nil {
		return errNoRollout
	}
	return r.record(decision, outcome.Status, outcome.nanoseconds(), outcome.Values)
}

func (r *Rollout) record(decision Decision, status Status, ns int64, values []Value) error {
	told := decision.c()
	if len(values) > 0 {
		return r.recordValues(&told, nil, status, ns, values)
	}
	line := r.enter()
	if line == nil {
		return ErrClosed
	}
	code := C.bridge_record(r.ctx, &told, status.c(), C.int64_t(ns), nil, 0)
	line.leave()
	return recorded(code)
}

// RecordUser is Record for a caller who keeps only the user and what ShouldUseNew answered: servedNew
// is the cohort that was served. The user is hashed again; the decision's reason counts as unknown.
func (r *Rollout) RecordUser(user string, servedNew bool, outcome Outcome) error {
	if r == nil {
		return errNoRollout
	}
	if len(outcome.Values) > 0 {
		told := Decision{New: servedNew}.c()
		return r.recordValues(&told, &user, outcome.Status, outcome.nanoseconds(), outcome.Values)
	}
	line := r.enter()
	if line == nil {
		return ErrClosed
	}
	code := C.bridge_record_user(r.ctx, idOf(user), C.uint64_t(len(user)), cohortOf(servedNew),
		outcome.Status.c(), C.int64_t(outcome.nanoseconds()), nil, 0)
	line.leave()
	return recorded(code)
}

// RecordCohort is the cheapest: the outcome of a cohort, of an unknown user.
func (r *Rollout) RecordCohort(servedNew bool, outcome Outcome) error {
	if r == nil {
		return errNoRollout
	}
	if len(outcome.Values) > 0 {
		// A decision of unknown reason and user.
		told := Decision{New: servedNew}.c()
		return r.recordValues(&told, nil, outcome.Status, outcome.nanoseconds(), outcome.Values)
	}
	line := r.enter()
	if line == nil {
		return ErrClosed
	}
	code := C.bridge_record_cohort(r.ctx, cohortOf(servedNew), outcome.Status.c(),
		C.int64_t(outcome.nanoseconds()), nil, 0)
	line.leave()
	return recorded(code)
}

// Expose counts a decision and its user without an outcome, for programs that learn the outcome
// elsewhere or never. Record does this too.
func (r *Rollout) Expose(decision Decision) error {
	if r == nil {
		return errNoRollout
	}
	line := r.enter()
	if line == nil {
		return ErrClosed
	}
	told := decision.c()
	code := C.bridge_expose(r.ctx, &told)
	line.leave()
	return recorded(code)
}

// recordValues is what the others do where there are values. A user takes the decision's place, but
// for the cohort.
func (r *Rollout) recordValues(told *C.canary_decision, user *string, status Status, ns int64,
	values []Value) error {
	const most = 8 // of one call: clearing room for all that an outcome can have would cost every one
	var list [most]C.canary_measurement
	known := r.metrics.Load()
	line := r.enter()
	if line == nil {
		return ErrClosed
	}
	defer line.leave()
	call := func(status Status, ns int64, values []Value) C.int {
		for i := range values {
			list[i] = values[i].c(known)
		}
		if user != nil {
			return C.bridge_record_user(r.ctx, idOf(*user), C.uint64_t(len(*user)), C.int(told.cohort),
				status.c(), C.int64_t(ns), &list[0], C.uint32_t(len(values)))
		}
		return C.bridge_record(r.ctx, told, status.c(), C.int64_t(ns), &list[0], C.uint32_t(len(values)))
	}
	if len(values) <= most {
		return recorded(call(status, ns, values))
	}
	// The outcome alone, since its values do not count when it is refused; then they.
	worst := call(status, ns, nil)
	if worst != C.CANARY_OK {
		return recorded(worst)
	}
	for len(values) > 0 {
		count := min(most, len(values))
		if code := call(StatusNone, notMeasured, values[:count]); code != C.CANARY_OK {
			worst = code
		}
		values = values[count:]
	}
	return recorded(worst)
}

// c is the value as a measurement. One that its metric's kind does not allow becomes one that the
// library rejects for that.
func (v *Value) c(known *map[string]declared) C.canary_measurement {
	metric, ok := declared{handle: -1}, false
	if known != nil {
		metric, ok = (*known)[v.name]
	}
	if !ok {
		return C.canary_measurement{metric: -1}
	}
	out := C.canary_measurement{metric: metric.handle}
	switch {
	case !v.form.fits(metric.kind):
		if metric.kind == KindClassification {
			out.value = 1
		} else {
			out.tp = 1
		}
	case v.form == formCounts:
		out.tp, out.fp = C.uint32_t(v.counts[0]), C.uint32_t(v.counts[1])
		out.fn, out.tn = C.uint32_t(v.counts[2]), C.uint32_t(v.counts[3])
	default:
		out.value = C.double(v.number)
	}
	return out
}

// c is the decision for the library. Numbers that do not fit are ones that it rejects.
func (d Decision) c() C.canary_decision {
	out := C.canary_decision{
		size:          C.sizeof_canary_decision,
		cohort:        C.int32_t(cohortOf(d.New)),
		reason:        C.int32_t(d.Reason),
		hash:          C.uint32_t(d.Hash),
		bucket:        C.uint32_t(d.Bucket),
		percentage_bp: C.uint32_t(d.Percentage),
		effective_bp:  C.uint32_t(d.Effective),
		stage:         C.int32_t(d.Stage),
		revision:      C.uint64_t(d.Revision),
		age_ns:        C.int64_t(d.Age),
	}
	if Reason(out.reason) != d.Reason {
		out.reason = -1
	}
	if d.Bucket < 0 || d.Bucket >= Buckets {
		out.bucket = C.CANARY_BUCKET_NONE
	}
	return out
}

// c is the status for the library; what does not fit is one that it rejects.
func (s Status) c() C.int {
	if int(C.int(s)) != int(s) {
		return math.MinInt32
	}
	return C.int(s)
}

func cohortOf(isNew bool) C.int {
	if isNew {
		return C.CANARY_NEW
	}
	return C.CANARY_OLD
}

func recorded(code C.int) error {
	switch code {
	case C.CANARY_OK:
		return nil
	case C.CANARY_E_NOMEM:
		return errDropped
	}
	return errRejected
}

// Declare declares a metric, whose values are then recorded by its name. The same again is no error,
// and another metric of that name is [ErrConflict]. Declare before recording: thresholds count from
// then on. It takes a short lock and waits for no store.
func (r *Rollout) Declare(metric Metric) error {
	if r == nil {
		return errNoRollout
	}
	if err := checkText("declare", metric.Name, metric.Name, metric.Unit); err != nil {
		return err
	}
	fail := func(format string, values ...any) error {
		return &Error{Op: "declare", Name: metric.Name, Code: ErrInvalid,
			Message: fmt.Sprintf(format, values...)}
	}
	if metric.Kind < 0 || metric.Kind > math.MaxInt32 {
		return fail("there is no kind %d", int(metric.Kind))
	}
	if len(metric.Thresholds) > C.CANARY_THRESHOLDS_MAX {
		return fail("there are %d thresholds; at most %d are allowed", len(metric.Thresholds),
			C.CANARY_THRESHOLDS_MAX)
	}
	line := r.enter()
	if line == nil {
		return closed("declare", metric.Name)
	}
	defer line.leave()
	var values cCall
	defer values.release()
	asked := C.canary_metric{size: C.sizeof_canary_metric, kind: C.int32_t(metric.Kind)}
	asked.name, asked.unit = values.exactly(metric.Name), values.text(metric.Unit)
	asked.minimum, asked.maximum = C.double(metric.Minimum), C.double(metric.Maximum)
	asked.resolution = C.double(metric.Resolution)
	if metric.Kind == KindValue {
		// The library's limits of numbers take the place of an open end.
		widest := C.double(1 << 47)
		if metric.Resolution != 0 {
			widest *= asked.resolution
		} else {
			widest *= 0.000001
		}
		if math.IsInf(metric.Minimum, -1) {
			asked.minimum = -widest
		}
		if math.IsInf(metric.Maximum, 1) {
			asked.maximum = widest
		}
	}
	if count := len(metric.Thresholds); count > 0 {
		thresholds := (*C.int64_t)(values.array(count, C.sizeof_int64_t))
		for i, threshold := range metric.Thresholds {
			unsafe.Slice(thresholds, count)[i] = C.int64_t(threshold)
		}
		asked.thresholds_ns, asked.threshold_count = thresholds, C.uint32_t(count)
	}
	var handle C.int32_t
	var cError C.canary_error
	C.canary_error_init(&cError, C.uint32_t(C.sizeof_canary_error))
	if C.canary_metric_declare((*C.canary_ctx)(pointer(r.ctx)), &asked, &handle, &cError) != C.CANARY_OK {
		return failure("declare", metric.Name, &cError)
	}
	if handle < 0 {
		return nil // "duration", whose values are those of outcomes
	}
	r.declaring.Lock()
	defer r.declaring.Unlock()
	all := map[string]declared{}
	if before := r.metrics.Load(); before != nil {
		all = maps.Clone(*before)
	}
	all[strings.Clone(metric.Name)] = declared{handle, metric.Kind}
	r.metrics.Store(&all)
	return nil
}

// Recording shows what this process did with outcomes of the rollout since it was opened.
func (r *Rollout) Recording() (Recording, error) {
	if r == nil {
		return Recording{}, errNoRollout
	}
	line := r.enter()
	if line == nil {
		return Recording{}, closed("recording", r.name)
	}
	out := C.canary_recording_info{size: C.sizeof_canary_recording_info}
	code := C.canary_recording((*C.canary_ctx)(pointer(r.ctx)), &out)
	line.leave()
	if code != C.CANARY_OK {
		return Recording{}, &Error{Op: "recording", Name: r.name, Code: Code(code)}
	}
	found := Recording{
		Recording:  out.recording != 0,
		Outcomes:   uint64(out.outcomes),
		Decisions:  uint64(out.decisions),
		Rejected:   map[Cause]uint64{},
		Dropped:    uint64(out.dropped),
		Merged:     uint64(out.merged),
		Flushes:    uint64(out.flushes),
		FlushedAt:  at(out.flushed_at_ns),
		FlushTook:  time.Duration(out.flush_ns),
		Waiting:    int(out.waiting),
		Coarsened:  int(out.coarsened),
		Threads:    int(out.threads),
		Sharing:    out.sharing != 0,
		ClockJumps: int(out.clock_jumps),
	}
	for cause, count := range out.rejected {
		if count != 0 {
			found.Rejected[Cause(cause)] = uint64(count)
		}
	}
	if out.last_error != C.CANARY_OK {
		found.LastError = &Error{Op: "flush", Name: r.name, Code: Code(out.last_error),
			Message: text(out.last_message[:])}
	}
	return found, nil
}
