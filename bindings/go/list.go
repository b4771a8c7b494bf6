// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"time"
	"unsafe"
)

// A Flag is a stored switch.
type Flag struct {
	Name      string
	Enabled   bool
	Doubts    Doubts // DoubtFlag or 0
	Rollouts  int    // how many rollouts obey it
	UpdatedAt time.Time
	UpdatedBy string
	Note      string
}

// An Override is a pinned user.
type Override struct {
	User string // any bytes
	New  bool   // pinned to new; else to old
}

// A Finding is one thing that Verify complains of.
type Finding struct {
	Kind     FindingKind
	ChangeID uint64 // row of the trail, 0 when it is not about one
	Rollout  string
	Flag     string
	Message  string
	Next     string // the next thing to do, as a sentence or a command
}

// FindingKind says what was found.
type FindingKind int

// Kinds of findings.
const (
	FindingGap       FindingKind = 1  // a row of the trail is missing
	FindingLink      FindingKind = 2  // a row does not carry the hash of the row before it
	FindingHash      FindingKind = 3  // a row's content does not match its own hash
	FindingRollout   FindingKind = 4  // a rollout's row was changed outside libcanary
	FindingFlag      FindingKind = 5  // a flag's row was changed outside libcanary, or is missing
	FindingOverrides FindingKind = 6  // a rollout's overrides were changed outside libcanary
	FindingHead      FindingKind = 7  // a rollout's state is not the one its last change recorded
	FindingStore     FindingKind = 8  // the store's own check complains
	FindingBell      FindingKind = 9  // the bell is damaged, or a rollback was rung and not recorded
	FindingTime      FindingKind = 10 // a change is dated before the one it follows
)

// A Report is the outcome of Verify.
type Report struct {
	Findings []Finding
	Changes  uint64 // rows of the trail read
	Rollouts int
	Flags    int
	HeadHash string // of the newest row: note it elsewhere to detect a trail cut short
}

// collect makes a listing call. The entries come through the channel, so that a call that goes on
// behind writes to nothing its caller has.
func collect[T any](ctx context.Context, s *Store, op, name string,
	call func(*C.canary_store, C.uintptr_t, *C.canary_error) C.int) ([]T, error) {
	return collectIn[T](ctx, s, reading, op, name, call)
}

func collectIn[T any](ctx context.Context, s *Store, way lane, op, name string,
	call func(*C.canary_store, C.uintptr_t, *C.canary_error) C.int) ([]T, error) {
	result := make(chan []T, 1)
	err := s.do(ctx, way, op, name, func(c *C.canary_store, e *C.canary_error) C.int {
		list := &listing[T]{ctx: ctx}
		handle := cgo.NewHandle(list)
		defer handle.Delete()
		code := call(c, C.uintptr_t(handle), e)
		result <- list.entries
		return code
	})
	select {
	case entries := <-result:
		if err == nil {
			err = ctx.Err() // it may be what ended the listing
		}
		return entries, err
	default:
		return nil, err
	}
}

type listing[T any] struct {
	ctx     context.Context
	entries []T
}

// add answers 1, which ends the listing, when nobody waits for more.
func add[T any](handle C.uintptr_t, entry T) C.int {
	list := cgo.Handle(handle).Value().(*listing[T])
	if list.ctx.Err() != nil {
		return 1
	}
	list.entries = append(list.entries, entry)
	return 0
}

//export canaryGoRollout
func canaryGoRollout(list C.uintptr_t, entry *C.canary_rollout) C.int {
	return add(list, stateOf(entry))
}

//export canaryGoFlag
func canaryGoFlag(list C.uintptr_t, f *C.canary_flag) C.int {
	return add(list, Flag{
		Name:      text(f.name[:]),
		Enabled:   f.enabled != 0,
		Doubts:    Doubts(f.doubt),
		Rollouts:  int(f.rollouts),
		UpdatedAt: at(f.updated_at_ns),
		UpdatedBy: text(f.updated_by[:]),
		Note:      text(f.note[:]),
	})
}

//export canaryGoChange
func canaryGoChange(list C.uintptr_t, entry *C.canary_change) C.int {
	return add(list, changeOf(entry))
}

//export canaryGoOverride
func canaryGoOverride(list C.uintptr_t, id *C.char, size C.uint64_t, cohort C.int) C.int {
	user := string(unsafe.Slice((*byte)(unsafe.Pointer(id)), int(size)))
	return add(list, Override{User: user, New: cohort == C.CANARY_NEW})
}

//export canaryGoFinding
func canaryGoFinding(list C.uintptr_t, f *C.canary_finding) C.int {
	return add(list, Finding{
		Kind:     FindingKind(f.kind),
		ChangeID: uint64(f.change_id),
		Rollout:  text(f.rollout[:]),
		Flag:     text(f.flag[:]),
		Message:  text(f.message[:]),
		Next:     text(f.next[:]),
	})
}

// Rollouts lists all rollouts by name.
func (s *Store) Rollouts(ctx context.Context) ([]State, error) {
	return collect[State](ctx, s, "list rollouts", "", func(c *C.canary_store, list C.uintptr_t,
		e *C.canary_error) C.int {
		return C.bridge_rollout_list(c, list, e)
	})
}

// Flags lists all flags by name.
func (s *Store) Flags(ctx context.Context) ([]Flag, error) {
	return collect[Flag](ctx, s, "list flags", "", func(c *C.canary_store, list C.uintptr_t,
		e *C.canary_error) C.int {
		return C.bridge_flag_list(c, list, e)
	})
}

// Overrides lists the pinned users of a rollout in the order of their bytes.
func (s *Store) Overrides(ctx context.Context, rollout string) ([]Override, error) {
	if err := checkText("list overrides", rollout, rollout); err != nil {
		return nil, err
	}
	return collect[Override](ctx, s, "list overrides", rollout, func(c *C.canary_store,
		list C.uintptr_t, e *C.canary_error) C.int {
		name := C.CString(rollout)
		defer C.free(unsafe.Pointer(name))
		return C.bridge_override_list(c, name, list, e)
	})
}

// History lists the changes of a rollout, newest first; rollout "" is the whole store. At most limit
// of them, 0 for all, and only those below change id before, 0 for all: the ID of the last one is
// where the next page begins.
func (s *Store) History(ctx context.Context, rollout string, limit int, before uint64) ([]Change, error) {
	if err := checkText("history", rollout, rollout); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, &Error{Op: "history", Name: rollout, Code: ErrInvalid,
			Message: "the limit is negative"}
	}
	return collect[Change](ctx, s, "history", rollout, func(c *C.canary_store, list C.uintptr_t,
		e *C.canary_error) C.int {
		var name *C.char
		if rollout != "" {
			name = C.CString(rollout)
			defer C.free(unsafe.Pointer(name))
		}
		return C.bridge_history(c, name, C.uint64_t(limit), C.uint64_t(before), list, e)
	})
}

// Verify reads the whole store, and proves that nobody edited it. With findings the error is
// [ErrTampered] and the report has them.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	totals := make(chan Report, 1)
	findings, err := collect[Finding](ctx, s, "verify", "", func(c *C.canary_store, list C.uintptr_t,
		e *C.canary_error) C.int {
		out := C.canary_verify_report{size: C.sizeof_canary_verify_report}
		code := C.bridge_verify(c, list, &out, e)
		if code == C.CANARY_OK || code == C.CANARY_E_TAMPERED {
			totals <- Report{
				Changes:  uint64(out.changes),
				Rollouts: int(out.rollouts),
				Flags:    int(out.flags),
				HeadHash: text(out.head_hash[:]),
			}
		}
		return code
	})
	select {
	case report := <-totals:
		report.Findings = findings
		return report, err
	default:
		return Report{Findings: findings}, err
	}
}
