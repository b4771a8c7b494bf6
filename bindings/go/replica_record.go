// SPDX-License-Identifier: MIT

package canary

import "context"

// A replica does not record. It is a Recorder all the same, so that a program that is built with cgo
// and without it has one text: each outcome is counted as dropped, and the error names what is missing.
var _ Recorder = (*Replica)(nil)

// Start begins a request, which decides and takes its time, and is counted as dropped at its end.
func (r *Replica) Start(ctx context.Context, user string) *Request {
	return &Request{ctx: ctx, decision: r.Explain(user), replica: r, begin: monotonic()}
}

// Record counts the outcome as dropped, and answers an error that is [ErrUnsupported].
func (r *Replica) Record(_ Decision, outcome Outcome) error {
	if r != nil && outcome.Status != StatusNone {
		r.dropped.Add(1)
	}
	return errNoCgo
}

// RecordUser is like Record.
func (r *Replica) RecordUser(_ string, _ bool, outcome Outcome) error {
	return r.Record(Decision{}, outcome)
}

// RecordCohort is like Record.
func (r *Replica) RecordCohort(_ bool, outcome Outcome) error {
	return r.Record(Decision{}, outcome)
}

// Expose answers an error that is [ErrUnsupported].
func (r *Replica) Expose(Decision) error { return errNoCgo }

// Declare answers an error that is [ErrUnsupported].
func (r *Replica) Declare(Metric) error { return errNoCgo }

// Recording has how many outcomes were dropped, and in LastError why.
func (r *Replica) Recording() (Recording, error) {
	if r == nil {
		return Recording{LastError: errNoCgo}, nil
	}
	return Recording{Dropped: r.dropped.Load(), LastError: errNoCgo}, nil
}
