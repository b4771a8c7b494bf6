// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#cgo noescape bridge_decide
#cgo nocallback bridge_decide
#cgo noescape bridge_decide_hash
#cgo nocallback bridge_decide_hash
#cgo noescape bridge_decide_bucket
#cgo nocallback bridge_decide_bucket
#cgo noescape bridge_decide_many
#cgo nocallback bridge_decide_many
#cgo noescape bridge_decide_rollouts
#cgo nocallback bridge_decide_rollouts
#cgo noescape bridge_explain
#cgo nocallback bridge_explain
#cgo noescape bridge_kill
#cgo nocallback bridge_kill
#cgo noescape bridge_revive
#cgo nocallback bridge_revive
#include "bridge.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Rollout is one rollout of a store, ready to decide. It follows changes by itself. All methods
// may be called from any goroutine at any time. A nil *Rollout decides "old". Close it when done; a
// rollout that is forgotten is closed by the garbage collector.
type Rollout struct {
	*rolloutHandle
	name  string
	store *Store
	owner bool // of the store
}

type rolloutHandle struct {
	guard
	ctx        C.uintptr_t
	killSwitch func() bool
	logger     *logger
	metrics    atomic.Pointer[map[string]declared] // replaced, never changed
	declaring  sync.Mutex
}

var _ Decider = (*Rollout)(nil)

// Open opens the store at path and one rollout in it, which owns the store.
//
// On an error the answer is a nil *Rollout, which decides "old" for everybody: a program can report
// the error and go on.
func Open(ctx context.Context, path, rollout string, options *Options) (*Rollout, error) {
	store, err := OpenStore(ctx, path, options)
	if err != nil {
		return nil, err
	}
	r, err := store.Rollout(ctx, rollout, options)
	if err != nil {
		store.Close()
		return nil, err
	}
	r.owner = true
	return r, nil
}

// Rollout opens one rollout of the store. From options only Defer, StaleAfter and KillSwitch are
// used; nil takes the store's. CANARY_KILL is read from the environment here and never again.
func (s *Store) Rollout(ctx context.Context, name string, options *Options) (*Rollout, error) {
	if err := checkText("open", name, name); err != nil {
		return nil, err
	}
	if s != nil && options == nil {
		options = &s.options
	}
	rollout := &Rollout{rolloutHandle: &rolloutHandle{killSwitch: options.orDefault().KillSwitch},
		name: name, store: s}
	opened := make(chan *C.canary_ctx, 1)
	err := s.doOr(ctx, reading, "open", name, func(c *C.canary_store, e *C.canary_error) C.int {
		cOptions := (&Options{Defer: options.orDefault().Defer,
			StaleAfter: options.orDefault().StaleAfter}).c()
		text := C.CString(name)
		defer C.free(unsafe.Pointer(text))
		var out *C.canary_ctx
		code := C.canary_open_in(c, text, &cOptions, &out, e)
		if code == C.CANARY_OK {
			opened <- out
		}
		return code
	}, func() {
		out := <-opened
		C.canary_close(&out)
	})
	if err != nil {
		return nil, err
	}
	out := <-opened
	rollout.ctx = C.uintptr_t(uintptr(unsafe.Pointer(out)))
	rollout.logger = s.logger
	rollout.logger.retain()
	runtime.AddCleanup(rollout, func(h *rolloutHandle) { go h.shut() }, rollout.rolloutHandle)
	return rollout, nil
}

// Close closes the rollout after the calls in progress have ended, and the store with it if Open
// opened it. It answers nil always, also when called again. A kill switch must not call it.
func (r *Rollout) Close() error {
	if r != nil {
		r.rolloutHandle.shut()
		if r.owner {
			r.store.Close()
		}
	}
	return nil
}

func (h *rolloutHandle) shut() {
	if h.guard.close() {
		out := (*C.canary_ctx)(pointer(h.ctx))
		C.canary_close(&out)
		h.logger.release()
	}
}

// pointer turns a handle back into what C gave; it was never memory of Go.
func pointer(handle C.uintptr_t) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&handle)) }

// Name is the name of the rollout.
func (r *Rollout) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Store is the store of the rollout, for the calls of an operator. It is closed with the rollout if
// Open opened it.
func (r *Rollout) Store() *Store {
	if r == nil {
		return nil
	}
	return r.store
}

func idOf(user string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(user))) }

// ShouldUseNew is true when this user gets the new path. It allocates nothing, takes no lock, makes
// no system call, and cannot fail: in doubt, on a nil or closed rollout, and for an empty user it is
// false.
func (r *Rollout) ShouldUseNew(user string) bool {
	if r == nil || user == "" || r.killSwitch != nil && r.killSwitch() {
		return false
	}
	line := r.enter()
	if line == nil {
		return false
	}
	cohort := C.bridge_decide(r.ctx, idOf(user), C.uint64_t(len(user)))
	line.leave()
	return cohort != 0
}

// ShouldUseNewBytes is ShouldUseNew for an id in a slice, which is not kept.
func (r *Rollout) ShouldUseNewBytes(user []byte) bool {
	return r.ShouldUseNew(unsafe.String(unsafe.SliceData(user), len(user)))
}

// ShouldUseNewHash is ShouldUseNew for a caller who has [Hash] of the user under the rollout's salt:
// hash once, decide on many rollouts. The user serves overrides only and may be empty: then a user
// pinned to "old" is still recognised by the hash, and pins to "new" are not seen.
func (r *Rollout) ShouldUseNewHash(user string, hash uint32) bool {
	if r == nil || r.killSwitch != nil && r.killSwitch() {
		return false
	}
	line := r.enter()
	if line == nil {
		return false
	}
	cohort := C.bridge_decide_hash(r.ctx, idOf(user), C.uint64_t(len(user)), C.uint32_t(hash))
	line.leave()
	return cohort != 0
}

// ShouldUseNewBucket is ShouldUseNew for a ready bucket, 0 to 9999; any other number gives false.
// Overrides are not seen.
func (r *Rollout) ShouldUseNewBucket(bucket int) bool {
	if r == nil || bucket < 0 || bucket >= Buckets || r.killSwitch != nil && r.killSwitch() {
		return false
	}
	line := r.enter()
	if line == nil {
		return false
	}
	cohort := C.bridge_decide_bucket(r.ctx, C.uint32_t(bucket))
	line.leave()
	return cohort != 0
}

// Explain decides and says why. It allocates nothing; it takes the clock, for the age.
func (r *Rollout) Explain(user string) Decision {
	if r == nil || user == "" {
		return invalid()
	}
	killed := r.killSwitch != nil && r.killSwitch()
	line := r.enter()
	if line == nil {
		return invalid()
	}
	out := C.canary_decision{size: C.sizeof_canary_decision}
	C.bridge_explain(r.ctx, idOf(user), C.uint64_t(len(user)), &out)
	line.leave()
	decision := Decision{
		New:        out.cohort == C.CANARY_NEW,
		Reason:     Reason(out.reason),
		Hash:       uint32(out.hash),
		Bucket:     int(out.bucket),
		Percentage: BasisPoints(out.percentage_bp),
		Effective:  BasisPoints(out.effective_bp),
		Stage:      int(out.stage),
		Revision:   uint64(out.revision),
		Age:        time.Duration(out.age_ns),
	}
	if out.bucket == C.CANARY_BUCKET_NONE {
		decision.Bucket = NoBucket
	}
	if killed {
		decision.New, decision.Reason, decision.Effective = false, ReasonKilled, 0
	}
	return decision
}

// Kill sends everybody to "old" from the next decision on, until Revive: the tool of a circuit
// breaker. Local to this rollout in this process, not stored, not audited.
func (r *Rollout) Kill() {
	if r == nil {
		return
	}
	if line := r.enter(); line != nil {
		C.bridge_kill(r.ctx)
		line.leave()
	}
}

// Revive takes back Kill; any other kill stays.
func (r *Rollout) Revive() {
	if r == nil {
		return
	}
	if line := r.enter(); line != nil {
		C.bridge_revive(r.ctx)
		line.leave()
	}
}
