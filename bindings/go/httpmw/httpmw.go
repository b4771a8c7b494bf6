// SPDX-License-Identifier: MIT

// Package httpmw decides once a request, and puts the decision into the request's context: a request
// that asks twice gets one answer, also when the rollout moves in between.
package httpmw

import (
	"context"
	"net/http"

	"libcanary.example/canary"
)

// key is the name of a rollout, so that several of them fit one request.
type key string

// New makes a middleware that decides for the user of each request. Where user answers "", nobody is
// known, and the request gets the old path. For several rollouts, put one middleware around another.
//
//	mux := http.NewServeMux()
//	handler := httpmw.New(rollout, func(r *http.Request) string {
//		return r.Header.Get("X-User")
//	})(mux)
func New(decider canary.Decider, user func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if decider == nil || user == nil {
			return next // without a decision everybody gets the old path
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			decision := decider.Explain(user(r))
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), decider.Name(), decision)))
		})
	}
}

// NewContext puts a decision into a context: what the middleware does, for tests of handlers and for
// work that is done outside a request.
func NewContext(ctx context.Context, rollout string, decision canary.Decision) context.Context {
	return context.WithValue(ctx, key(rollout), &decision)
}

// Decision is what was decided for the request on a rollout; false where no middleware decided.
func Decision(ctx context.Context, rollout string) (canary.Decision, bool) {
	decision, ok := ctx.Value(key(rollout)).(*canary.Decision)
	if !ok {
		return canary.Decision{Reason: canary.ReasonInvalid, Bucket: canary.NoBucket, Stage: -1, Age: -1}, false
	}
	return *decision, true
}

// ShouldUseNew is true when the request's user gets the new path of the rollout. Where no middleware
// decided it is false.
func ShouldUseNew(ctx context.Context, rollout string) bool {
	decision, _ := Decision(ctx, rollout)
	return decision.New
}
