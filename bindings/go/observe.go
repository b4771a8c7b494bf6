// SPDX-License-Identifier: MIT

package canary

import (
	"context"
	"strconv"
	"time"
)

// How the texts of a store's WriteOpenMetrics and WritePrometheus are to be served.
const (
	OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	PrometheusType  = "text/plain; version=0.0.4; charset=utf-8"
)

// Status says how a request ended. The zero value is ok. The numbers are those of the C library and
// never change.
type Status int

// The statuses.
const (
	// StatusNone is for what was measured though no request ended, a purchase an hour later: only
	// the values count, no outcome, decision or user, and a duration is rejected.
	StatusNone    Status = -1
	StatusOK      Status = 0
	StatusError   Status = 1
	StatusTimeout Status = 2 // not an error besides
)

// String is "ok", "error", "timeout" or "none".
func (s Status) String() string {
	switch s {
	case StatusNone:
		return "none"
	case StatusOK:
		return "ok"
	case StatusError:
		return "error"
	case StatusTimeout:
		return "timeout"
	}
	return "unknown"
}

// Kind is what a metric is about. The numbers are those of the C library and never change.
type Kind int

// The kinds.
const (
	KindProportion     Kind = 1 // how many of n: cache hits, right answers
	KindDuration       Kind = 2 // with a histogram
	KindValue          Kind = 3 // any number: cost, bytes
	KindScore          Kind = 4 // a number within a declared range: quality
	KindClassification Kind = 5 // true and false positives and negatives
)

// String is the kind in lower case, for example "score".
func (k Kind) String() string {
	names := [...]string{"unknown", "proportion", "duration", "value", "score", "classification"}
	if k < 0 || int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// A Metric is to be declared before values of it are recorded.
type Metric struct {
	Name string // a letter of a-z, and up to 62 more of a-z, 0-9 and _; "error" and "timeout" are taken
	Kind Kind
	Unit string // for people and for Prometheus, [a-z0-9_]; that of a duration is always "seconds"
	// Least and greatest number allowed of a value or score; a score must give them. Both 0: no
	// limits. One end is left open by math.Inf.
	Minimum, Maximum float64
	// Resolution: numbers are kept as whole multiples of it, which is what makes sums exact in any
	// order; 0 = 0.000001.
	Resolution float64
	// Thresholds of a duration: how many were above each of them is counted exactly. At most 8.
	// "duration", of kind KindDuration, adds thresholds to the built-in one.
	Thresholds []time.Duration
}

// A Value is one value of a declared metric, by its name. A name that nobody declared, and a value
// that is not of the metric's kind, are counted as rejected.
type Value struct {
	name   string
	form   form
	number float64
	counts [4]uint32
}

// form is how a Value was made.
type form uint8

const (
	formNone form = iota
	formNumber
	formHit
	formDuration
	formCounts
	formWrong // of no kind
)

func (f form) fits(kind Kind) bool {
	switch kind {
	case KindProportion:
		return f == formHit
	case KindDuration:
		return f == formDuration
	case KindClassification:
		return f == formCounts
	}
	return f == formNumber
}

// Number is a number of a metric of kind value or score.
func Number(metric string, number float64) Value {
	return Value{name: metric, form: formNumber, number: number}
}

// Hit is one case of a proportion: whether it is among those that are counted.
func Hit(metric string, hit bool) Value {
	value := Value{name: metric, form: formHit}
	if hit {
		value.number = 1
	}
	return value
}

// Took is a duration of a metric of that kind.
func Took(metric string, duration time.Duration) Value {
	return Value{name: metric, form: formDuration, number: float64(duration)}
}

// Classified has the true and false positives and negatives of a request.
func Classified(metric string, tp, fp, fn, tn int) Value {
	value := Value{name: metric, form: formCounts}
	for i, count := range [...]int{tp, fp, fn, tn} {
		if value.counts[i] = uint32(count); int(value.counts[i]) != count {
			value.form = formWrong
		}
	}
	return value
}

// Name is the name of the metric.
func (v Value) Name() string { return v.name }

// An Outcome is how a request ended. The zero value is a request that went well, of unknown duration.
type Outcome struct {
	Status Status
	// Duration is how long it took; 0 = not measured. What took no time that the clock can tell is to
	// be given as a nanosecond. Negative is rejected.
	Duration time.Duration
	Values   []Value
}

// Cause says why something was rejected.
type Cause int

// The causes.
const (
	RejectedArgument   Cause = 0 // a decision made by hand, or no user
	RejectedCohort     Cause = 1 // neither old nor new
	RejectedStatus     Cause = 2 // no status
	RejectedDuration   Cause = 3 // negative, above three days, or with StatusNone
	RejectedUndeclared Cause = 4 // a value of a metric that was not declared
	RejectedKind       Cause = 5 // a value that is not of its metric's kind
	RejectedNumber     Cause = 6 // not a number, or infinite
	RejectedRange      Cause = 7 // outside the declared range, or too large for the resolution
)

// String is the cause in lower case, for example "undeclared".
func (c Cause) String() string {
	names := [...]string{"argument", "cohort", "status", "duration", "undeclared", "kind", "number",
		"range"}
	if c < 0 || int(c) >= len(names) {
		return "cause " + strconv.Itoa(int(c))
	}
	return names[c]
}

// A Recording is what this process did with outcomes of one rollout since it opened it.
type Recording struct {
	Recording  bool             // something was recorded
	Outcomes   uint64           // counted
	Decisions  uint64           // counted, Expose included
	Rejected   map[Cause]uint64 // by cause; only those that occurred
	Dropped    uint64           // outcomes lost: for want of memory, or of what could count them
	Merged     uint64           // outcomes that are in the metrics database
	Flushes    uint64           // transactions of this process that merged something
	FlushedAt  time.Time        // the last; zero = none
	FlushTook  time.Duration
	Waiting    int   // ticks in memory that could not be merged yet
	Coarsened  int   // ticks that were merged into their neighbours meanwhile
	Threads    int   // threads of the operating system that have memory of their own
	Sharing    bool  // further threads came, which share
	ClockJumps int   // times the wall clock went back, or forth by over five seconds
	LastError  error // of the last flush; nil after a good one
}

// RejectedTotal is the number of rejections of all causes.
func (r Recording) RejectedTotal() uint64 {
	var total uint64
	for _, count := range r.Rejected {
		total += count
	}
	return total
}

// A Recorder is a rollout that decides and records: a [Rollout], or a [Replica], which decides and
// says that it cannot record. All methods may be called from any goroutine at any time; none but
// Declare and Recording takes a lock, and none waits for a store.
//
// What Record and its like return tells of mistakes, and may be ignored: everything that is not
// counted is counted by its cause in Recording. Errors are made beforehand, not for each call.
type Recorder interface {
	Decider
	// Declare declares a metric. The same again is no error.
	Declare(metric Metric) error
	// Start begins a request: decides, and takes the time until its End.
	Start(ctx context.Context, user string) *Request
	// Record counts how a request ended for the cohort that was decided, whatever happened to the
	// percentage since; and the decision with its reason, and its user.
	Record(decision Decision, outcome Outcome) error
	// RecordUser is Record for a caller who keeps only the user and what ShouldUseNew answered. The
	// user is hashed again; the decision's reason counts as unknown.
	RecordUser(user string, servedNew bool, outcome Outcome) error
	// RecordCohort is the cheapest: the outcome of a cohort, of an unknown user.
	RecordCohort(servedNew bool, outcome Outcome) error
	// Expose counts a decision and its user without an outcome. Record does this too.
	Expose(decision Decision) error
	// Recording is what became of all that.
	Recording() (Recording, error)
}

var (
	errRejected error = &Error{Op: "record", Code: ErrInvalid,
		Message: "something was rejected; Recording counts it by its cause"}
	errDropped error = &Error{Op: "record", Code: ErrNoMemory,
		Message: "there is no memory to count in; Recording counts what was dropped"}
	errNoRollout error = &Error{Op: "record", Code: ErrInvalid, Message: "there is no rollout"}
	errNoCgo     error = &Error{Op: "record", Code: ErrUnsupported,
		Message: "a replica does not record: outcomes are counted by the C library, in programs built with cgo"}
)
