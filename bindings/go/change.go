// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// A Change is one row of the audit trail.
type Change struct {
	ID             uint64 // place in the trail of the whole store, from 1, without gaps; 0 in a dry run
	Revision       uint64 // of the rollout after this change
	Rollout        string // "" for a flag that no rollout names
	Flag           string // of flag changes
	Action         string // "create", "advance", "rollback", "set", "flag_off", ...
	FromStage      int    // -1 for "create"
	ToStage        int
	FromPercentage BasisPoints
	ToPercentage   BasisPoints
	UserHash       uint32 // of override changes
	At             time.Time
	By             string
	Note           string
	Hash           string // SHA-256 of this row, in hexadecimal digits; "" in a dry run
	PreviousHash   string
}

func changeOf(c *C.canary_change) Change {
	return Change{
		ID:             uint64(c.id),
		Revision:       uint64(c.revision),
		Rollout:        text(c.rollout[:]),
		Flag:           text(c.flag[:]),
		Action:         text(c.action[:]),
		FromStage:      int(c.from_stage),
		ToStage:        int(c.to_stage),
		FromPercentage: BasisPoints(c.from_percentage_bp),
		ToPercentage:   BasisPoints(c.to_percentage_bp),
		UserHash:       uint32(c.user_hash),
		At:             at(c.at_ns),
		By:             text(c.by[:]),
		Note:           text(c.note[:]),
		Hash:           text(c.hash[:]),
		PreviousHash:   text(c.previous_hash[:]),
	}
}

// A ChangeOption says who changes, why, and what he believes the present state to be.
type ChangeOption func(*changeOptions)

type changeOptions struct {
	by, note, evidence string
	revision           int64
	stage              int
	flags              C.uint32_t
	phase              string
}

// By names who makes the change. Without it "unknown" is recorded.
func By(who string) ChangeOption { return func(o *changeOptions) { o.by = who } }

// Note says why.
func Note(why string) ChangeOption { return func(o *changeOptions) { o.note = why } }

// Evidence is what the change rests on, any text up to 64 KiB.
func Evidence(text string) ChangeOption { return func(o *changeOptions) { o.evidence = text } }

// ExpectRevision makes the change fail with [ErrConflict] at any other revision. A rollback records
// the expectation and goes on.
func ExpectRevision(revision uint64) ChangeOption {
	return func(o *changeOptions) { o.revision = int64(min(revision, math.MaxInt64)) }
}

// ExpectStage makes the change fail with [ErrConflict] at any other stage. A rollback records the
// expectation and goes on.
func ExpectStage(stage int) ChangeOption { return func(o *changeOptions) { o.stage = stage } }

// Phase names a percentage for people, in SetPercentage.
func Phase(name string) ChangeOption { return func(o *changeOptions) { o.phase = name } }

// DryRun answers what would happen and changes nothing.
func DryRun() ChangeOption {
	return func(o *changeOptions) { o.flags |= C.CANARY_CHANGE_DRY_RUN }
}

// Emergency is recorded as such and skips gates; downwards it rings before it is recorded.
func Emergency() ChangeOption {
	return func(o *changeOptions) { o.flags |= C.CANARY_CHANGE_EMERGENCY }
}

// A cCall has what a call of the C library gets beside the store.
type cCall struct {
	options *C.canary_change_options
	name    *C.char
	phase   *C.char
	out     *C.canary_change
	error   *C.canary_error
	free    []unsafe.Pointer
}

func (c *cCall) release() {
	for _, copied := range c.free {
		C.free(copied)
	}
}

// text copies a string for C, "" to NULL.
func (c *cCall) text(s string) *C.char {
	if s == "" {
		return nil
	}
	return c.exactly(s)
}

func (c *cCall) exactly(s string) *C.char {
	copied := C.CString(s)
	c.free = append(c.free, unsafe.Pointer(copied))
	return copied
}

func (s *Store) change(ctx context.Context, way lane, op, name string, options []ChangeOption,
	call func(*C.canary_store, *cCall) C.int) (Change, error) {
	wanted := changeOptions{revision: C.CANARY_ANY_REVISION, stage: C.CANARY_ANY_STAGE}
	for _, option := range options {
		option(&wanted)
	}
	if err := checkText(op, name, name, wanted.by, wanted.note, wanted.evidence,
		wanted.phase); err != nil {
		return Change{}, err
	}
	if int(C.int32_t(wanted.stage)) != wanted.stage {
		return Change{}, &Error{Op: op, Name: name, Code: ErrInvalid,
			Message: fmt.Sprintf("there is no stage %d", wanted.stage)}
	}
	result := make(chan Change, 1)
	err := s.do(ctx, way, op, name, func(c *C.canary_store, e *C.canary_error) C.int {
		out := C.canary_change{size: C.sizeof_canary_change}
		var cOptions C.canary_change_options
		C.canary_change_options_init(&cOptions, C.uint32_t(C.sizeof_canary_change_options))
		values := &cCall{options: &cOptions, out: &out, error: e}
		defer values.release()
		// An empty name is refused by the library, with its own words for it.
		values.name = values.exactly(name)
		values.phase = values.text(wanted.phase)
		cOptions.flags = wanted.flags
		cOptions.by = values.text(wanted.by)
		cOptions.note = values.text(wanted.note)
		cOptions.evidence = values.text(wanted.evidence)
		cOptions.expected_revision = C.int64_t(wanted.revision)
		cOptions.expected_stage = C.int32_t(wanted.stage)
		code := call(c, values)
		if code == C.CANARY_OK {
			result <- changeOf(&out)
		}
		return code
	})
	if err != nil {
		return Change{}, err
	}
	return <-result, nil
}

// A Spec is a rollout to be created.
type Spec struct {
	Name   string
	Stages []Stage // rungs above 0, rising; none = the default ladder. Names are optional for all or none
	Salt   string
	Flag   string // the flag it obeys; "" = one of its own, named like the rollout
}

// Create makes a rollout at stage 0.
func (s *Store) Create(ctx context.Context, spec Spec, options ...ChangeOption) (Change, error) {
	if err := spec.check(); err != nil {
		return Change{}, err
	}
	return s.change(ctx, changing, "create", spec.Name, options, func(c *C.canary_store, v *cCall) C.int {
		count := len(spec.Stages)
		cSpec := C.canary_rollout_spec{size: C.sizeof_canary_rollout_spec, name: v.name}
		cSpec.salt = v.text(spec.Salt)
		cSpec.flag = v.text(spec.Flag)
		cSpec.stage_count = C.uint32_t(count)
		if count > 0 {
			// In C's memory, since the struct is Go's and must not lead to other memory of Go.
			shares := (*C.uint32_t)(v.array(count, C.sizeof_uint32_t))
			dwells := (*C.int64_t)(v.array(count, C.sizeof_int64_t))
			names := (**C.char)(v.array(count, C.size_t(unsafe.Sizeof(uintptr(0)))))
			for i, stage := range spec.Stages {
				unsafe.Slice(shares, count)[i] = C.uint32_t(stage.Percentage)
				unsafe.Slice(dwells, count)[i] = C.int64_t(stage.Dwell)
				unsafe.Slice(names, count)[i] = v.text(stage.Name)
			}
			cSpec.stages_bp, cSpec.dwell_ns = shares, dwells
			if spec.Stages[0].Name != "" {
				cSpec.stage_names = names
			}
		}
		return C.canary_create(c, &cSpec, v.options, v.out, v.error)
	})
}

func (spec *Spec) check() error {
	fail := func(message string) error {
		return &Error{Op: "create", Name: spec.Name, Code: ErrInvalid, Message: message}
	}
	if err := checkText("create", spec.Name, spec.Salt, spec.Flag); err != nil {
		return err
	}
	if len(spec.Stages) > C.CANARY_STAGES_MAX-1 {
		return fail(fmt.Sprintf("%d stages; a ladder has at most %d above 0", len(spec.Stages),
			C.CANARY_STAGES_MAX-1))
	}
	for _, stage := range spec.Stages {
		if err := checkText("create", spec.Name, stage.Name); err != nil {
			return err
		}
		if (stage.Name == "") != (spec.Stages[0].Name == "") {
			return fail("either all stages have names, or none has")
		}
	}
	return nil
}

// array is C memory of zeros that lives as long as the call.
func (c *cCall) array(count int, size C.size_t) unsafe.Pointer {
	block := C.calloc(C.size_t(count), size)
	c.free = append(c.free, block)
	return block
}

// Advance moves to the lowest rung above the present percentage. [ErrRefused] at the top.
func (s *Store) Advance(ctx context.Context, rollout string, options ...ChangeOption) (Change, error) {
	return s.change(ctx, changing, "advance", rollout, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_advance(c, v.name, v.options, v.out, v.error)
	})
}

// Rollback moves down to a stage, 0 for everybody to "old". It is never refused, queued or gated:
// it is begun also when ctx has ended, does not wait for other changes of this process, and takes
// effect in all processes of the host before it is recorded. When it cannot be recorded the error's
// InEffect is true.
func (s *Store) Rollback(ctx context.Context, rollout string, stage int,
	options ...ChangeOption) (Change, error) {
	return s.change(ctx, lowering, "rollback", rollout, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_rollback(c, v.name, cInt(stage), v.options, v.out, v.error)
	})
}

// SetStage moves to a rung, up or down; down is a Rollback.
func (s *Store) SetStage(ctx context.Context, rollout string, stage int,
	options ...ChangeOption) (Change, error) {
	way := changing
	if stage == 0 {
		way = lowering
	}
	return s.change(ctx, way, "set stage", rollout, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_set_stage(c, v.name, cInt(stage), v.options, v.out, v.error)
	})
}

// SetPercentage sets a share, on the ladder or not: 7*canary.Percent.
func (s *Store) SetPercentage(ctx context.Context, rollout string, share BasisPoints,
	options ...ChangeOption) (Change, error) {
	way := changing
	if share == 0 {
		way = lowering
	}
	return s.change(ctx, way, "set percentage", rollout, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_set_percentage(c, v.name, C.uint32_t(share), v.phase, v.options, v.out, v.error)
	})
}

// SetFlag switches a flag; a flag that is not there is made.
func (s *Store) SetFlag(ctx context.Context, flag string, enabled bool,
	options ...ChangeOption) (Change, error) {
	way, on := lowering, C.int(0)
	if enabled {
		way, on = changing, 1
	}
	return s.change(ctx, way, "set flag", flag, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_flag_set(c, v.name, on, v.options, v.out, v.error)
	})
}

// SetOverride pins users to new (true) or old (false), all in one change, replacing earlier pins.
func (s *Store) SetOverride(ctx context.Context, rollout string, toNew bool, users []string,
	options ...ChangeOption) (Change, error) {
	cohort := C.int(C.CANARY_OLD)
	if toNew {
		cohort = C.CANARY_NEW
	}
	return s.change(ctx, changing, "set override", rollout, options, func(c *C.canary_store,
		v *cCall) C.int {
		count := len(users)
		ids := (*unsafe.Pointer)(v.array(count+1, C.size_t(unsafe.Sizeof(uintptr(0)))))
		sizes := (*C.uint64_t)(v.array(count+1, C.sizeof_uint64_t))
		for i, user := range users {
			id := C.CBytes(unsafe.Slice(unsafe.StringData(user), len(user)))
			v.free = append(v.free, id)
			unsafe.Slice(ids, count)[i] = id
			unsafe.Slice(sizes, count)[i] = C.uint64_t(len(user))
		}
		return C.canary_override_set_many(c, v.name, ids, sizes, C.uint64_t(count), cohort, v.options,
			v.out, v.error)
	})
}

// RemoveOverride removes a pin.
func (s *Store) RemoveOverride(ctx context.Context, rollout, user string,
	options ...ChangeOption) (Change, error) {
	return s.change(ctx, changing, "remove override", rollout, options, func(c *C.canary_store,
		v *cCall) C.int {
		id := C.CBytes(unsafe.Slice(unsafe.StringData(user), len(user)))
		v.free = append(v.free, id)
		return C.canary_override_remove(c, v.name, id, C.uint64_t(len(user)), v.options, v.out, v.error)
	})
}

// Accept signs what stands in the store for this rollout, its flag and its overrides, after somebody
// looked at it.
func (s *Store) Accept(ctx context.Context, rollout string, options ...ChangeOption) (Change, error) {
	return s.change(ctx, changing, "accept", rollout, options, func(c *C.canary_store, v *cCall) C.int {
		return C.canary_accept(c, v.name, v.options, v.out, v.error)
	})
}

// cInt keeps what does not fit out of range instead of letting it come round.
func cInt(n int) C.int {
	return C.int(max(math.MinInt32, min(math.MaxInt32, n)))
}
