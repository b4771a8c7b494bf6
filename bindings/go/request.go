// SPDX-License-Identifier: MIT

package canary

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// A Request is one request: decided by Start, timed, and recorded by its End.
//
//	func checkout(ctx context.Context, user string) (page string, err error) {
//		request := rollout.Start(ctx, user)
//		defer request.End(&err)
//		if request.New() {
//
// A nil *Request gets the old path and records nothing. The methods may be called from any goroutine.
type Request struct {
	decision Decision
	ctx      context.Context
	rollout  *counting // one of the two
	replica  *Replica
	begin    int64

	mutex    spin
	ended    bool
	given    bool // status is what SetStatus was told
	status   Status
	duration time.Duration
	// The first values need no memory of their own. A slice of the array that is kept would lead the
	// request back to itself, and to the heap.
	room [4]Value
	used int
	more []Value // all of them, once they are too many for room
}

// spin is a lock that hardly anybody ever waits for. A [sync.Mutex] would send every request to the
// heap, since whoever waits for one is put into a list.
type spin struct{ held atomic.Bool }

func (s *spin) lock() {
	for !s.held.CompareAndSwap(false, true) {
		runtime.Gosched()
	}
}

func (s *spin) unlock() { s.held.Store(false) }

// Decision is what Start decided.
func (q *Request) Decision() Decision {
	if q == nil {
		return invalid()
	}
	return q.decision
}

// New is true when the request gets the new path.
func (q *Request) New() bool { return q != nil && q.decision.New }

// Measure adds values, which are recorded with the outcome. After the end it does nothing.
func (q *Request) Measure(values ...Value) {
	if q == nil {
		return
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	switch {
	case q.ended:
	case q.more != nil:
		q.more = append(q.more, values...)
	case q.used+len(values) <= len(q.room):
		q.used += copy(q.room[q.used:], values)
	default:
		q.more = append(append(make([]Value, 0, 4*len(q.room)), q.room[:q.used]...), values...)
	}
}

// SetStatus says how the request ended, whatever error or panic comes later: "not found" is an error
// in many programs, and none of the rollout's. With StatusNone the values count, and no outcome.
func (q *Request) SetStatus(status Status) {
	if q == nil {
		return
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	if !q.ended {
		q.status, q.given = status, true
	}
}

// Discard ends the request without recording anything of it.
func (q *Request) Discard() {
	if q == nil {
		return
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	if !q.ended {
		q.ended, q.status = true, StatusNone
	}
}

// Status is how the request ended; StatusNone before that.
func (q *Request) Status() Status {
	if q == nil {
		return StatusNone
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	if !q.ended {
		return StatusNone
	}
	return q.status
}

// Duration is how long the request took; 0 before its end.
func (q *Request) Duration() time.Duration {
	if q == nil {
		return 0
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	return q.duration
}

// End records the outcome: ok when there is no error; timeout when the error says so, is
// [context.DeadlineExceeded], or comes when the deadline of the request's context has passed; else
// error. A second End does nothing.
//
// It takes the address of the error, so that it can be deferred where the request begins: a
// deferred call has its arguments from when it is deferred, and an error that is not there yet would
// be taken for none. nil is no error.
//
// A deferred End also records a panic, as an error, and lets it go on. That works for End itself and
// not for a function that calls it: Go tells of a panic to the deferred function alone.
func (q *Request) End(err *error) {
	if panicked := recover(); panicked != nil {
		q.end(StatusError)
		panic(panicked)
	}
	if err == nil || *err == nil {
		q.end(StatusOK)
		return
	}
	q.end(q.statusOf(*err))
}

func (q *Request) statusOf(err error) Status {
	var waited interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &waited) && waited.Timeout() {
		return StatusTimeout
	}
	if q != nil && q.ctx != nil && isPast(q.ctx) {
		return StatusTimeout
	}
	return StatusError
}

// isPast says whether a context's deadline has passed. On a busy machine the timer that tells the
// context comes late.
func isPast(ctx context.Context) bool {
	if err := ctx.Err(); err != nil {
		return errors.Is(err, context.DeadlineExceeded)
	}
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

func (q *Request) end(status Status) {
	if q == nil {
		return
	}
	q.mutex.lock()
	defer q.mutex.unlock()
	if q.ended {
		return
	}
	q.ended = true
	if !q.given {
		q.status = status
	}
	values := q.more
	if values == nil {
		values = q.room[:q.used]
	}
	took := max(0, q.since())
	q.duration = time.Duration(took)
	if q.status == StatusNone {
		took = notMeasured
	}
	if q.rollout != nil {
		_ = q.rollout.record(q.decision, q.status, took, values)
	} else {
		_ = q.replica.Record(q.decision, Outcome{Status: q.status})
	}
}

func (q *Request) since() int64 {
	if q.rollout != nil {
		return q.rollout.since(q.begin)
	}
	return monotonic() - q.begin
}

const notMeasured = -1

// nanoseconds is a duration as the C library takes it.
func (o *Outcome) nanoseconds() int64 {
	if o.Duration == 0 {
		return notMeasured
	}
	if o.Duration < 0 {
		return math.MinInt64 // and never by chance the one that stands for "not measured"
	}
	return int64(o.Duration)
}

// The zero of the monotonic clock: the clock alone costs half of what time.Now does.
var began = time.Now()

func monotonic() int64 { return int64(time.Since(began)) }
