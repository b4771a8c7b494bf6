// SPDX-License-Identifier: MIT

// Package httpmw decides once a request, puts the decision into the request's context, and records
// how the request ended: a request that asks twice gets one answer, also when the rollout moves in
// between, and its outcome counts for the cohort that it was served as.
package httpmw

import (
	"context"
	"errors"
	"net/http"
	"time"

	"libcanary.example/canary"
)

// key is the name of a rollout, so that several of them fit one request.
type key string

// entry is what a context has under a key.
type entry struct {
	decision canary.Decision
	request  *canary.Request // nil when it is not recorded
}

// An Option says what a middleware does.
type Option func(*options)

type options struct {
	records func(*http.Request) bool
}

// WithoutRecording leaves recording to the program: the middleware decides, and that is all.
func WithoutRecording() Option {
	return RecordOnly(func(*http.Request) bool { return false })
}

// RecordOnly records the requests for which it is true, all by default: health checks say little of a
// rollout, and a connection that stays open for hours has no duration worth a quantile.
func RecordOnly(records func(*http.Request) bool) Option {
	return func(o *options) { o.records = records }
}

// New makes a middleware that decides for the user of each request. Where user answers "", nobody is
// known, and the request gets the old path. For several rollouts, put one middleware around another.
//
//	mux := http.NewServeMux()
//	handler := httpmw.New(rollout, func(r *http.Request) string {
//		return r.Header.Get("X-User")
//	})(mux)
//
// A decider that is a [canary.Recorder] records each request: its duration, and its status. A timeout
// is 504, or a request whose context is past its deadline at its end; an error is any other 5xx, and a
// panic, which goes on; everything else is ok. The handler can say otherwise through [Request].
func New(decider canary.Decider, user func(*http.Request) string, with ...Option) func(http.Handler) http.Handler {
	chosen := options{}
	for _, option := range with {
		option(&chosen)
	}
	recorder, _ := decider.(canary.Recorder)
	return func(next http.Handler) http.Handler {
		if decider == nil || user == nil {
			return next // without a decision everybody gets the old path
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if recorder == nil || chosen.records != nil && !chosen.records(r) {
				decision := decider.Explain(user(r))
				next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), decider.Name(), decision)))
				return
			}
			var err error
			request := recorder.Start(r.Context(), user(r))
			defer request.End(&err)
			ctx := context.WithValue(r.Context(), key(decider.Name()), &entry{request.Decision(), request})
			seen := &tracker{ResponseWriter: w}
			next.ServeHTTP(seen.writer(), r.WithContext(ctx))
			err = failure(seen.status, r.Context())
		})
	}
}

var errServer = errors.New("httpmw: the answer is 5xx")

func failure(status int, ctx context.Context) error {
	switch {
	case status == http.StatusGatewayTimeout || isPast(ctx):
		return context.DeadlineExceeded
	case status >= 500:
		return errServer
	}
	return nil
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

// NewContext puts a decision into a context: what the middleware does, for tests of handlers and for
// work that is done outside a request.
func NewContext(ctx context.Context, rollout string, decision canary.Decision) context.Context {
	return context.WithValue(ctx, key(rollout), &entry{decision: decision})
}

// Decision is what was decided for the request on a rollout; false where no middleware decided.
func Decision(ctx context.Context, rollout string) (canary.Decision, bool) {
	found, ok := ctx.Value(key(rollout)).(*entry)
	if !ok {
		return canary.Decision{Reason: canary.ReasonInvalid, Bucket: canary.NoBucket, Stage: -1, Age: -1}, false
	}
	return found.decision, true
}

// ShouldUseNew is true when the request's user gets the new path of the rollout. Where no middleware
// decided it is false.
func ShouldUseNew(ctx context.Context, rollout string) bool {
	decision, _ := Decision(ctx, rollout)
	return decision.New
}

// Request is what the middleware records of the request on a rollout, for its Measure and SetStatus;
// the middleware ends it. Where nothing is recorded it is nil, whose methods do nothing.
func Request(ctx context.Context, rollout string) *canary.Request {
	if found, ok := ctx.Value(key(rollout)).(*entry); ok {
		return found.request
	}
	return nil
}
