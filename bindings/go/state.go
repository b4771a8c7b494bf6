// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"strings"
	"time"
	"unsafe"
)

// Source says what brought the present state of a rollout.
type Source int

// Sources.
const (
	SourceNone    Source = 0 // nothing was ever loaded
	SourceOpen    Source = 1 // the open call
	SourceBell    Source = 2 // the doorbell rang
	SourceTick    Source = 3 // the tick found it
	SourceRefresh Source = 4 // Refresh
	SourceChange  Source = 5 // a change made through this store
	SourceFork    Source = 6 // taken over from the parent process
)

func (s Source) String() string {
	names := [...]string{"none", "open", "bell", "tick", "refresh", "change", "fork"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// Kills is the set of kill switches that are on.
type Kills uint32

// Kill switches.
const (
	KillLocal       Kills = 1  // Kill
	KillFlag        Kills = 2  // the stored flag is off, missing or in doubt
	KillEnvironment Kills = 4  // CANARY_KILL names this rollout, or is "all"
	KillBell        Kills = 8  // the bell is damaged
	KillHook        Kills = 16 // the application's kill switch says so at this moment
)

func (k Kills) String() string {
	return words(uint32(k), "local", "flag", "environment", "bell", "hook")
}

// Doubts is the set of reasons why less is shown than the store says.
type Doubts uint32

// Doubts.
const (
	DoubtRollout   Doubts = 1  // the rollout's row does not match its checksum
	DoubtFlag      Doubts = 2  // the flag's row does not match its checksum, or is missing
	DoubtOverrides Doubts = 4  // the overrides do not match their digest
	DoubtTrail     Doubts = 8  // the trail does not continue what this process saw before
	DoubtBell      Doubts = 16 // the bell is damaged
	DoubtRollback  Doubts = 32 // a rollback was rung and is not recorded yet
)

func (d Doubts) String() string {
	return words(uint32(d), "rollout", "flag", "overrides", "trail", "bell", "rollback")
}

func words(set uint32, names ...string) string {
	var found []string
	for i, name := range names {
		if set&(1<<i) != 0 {
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}

// Info is the freshness and state of an open rollout.
type Info struct {
	Rollout      string
	Source       Source
	Age          time.Duration // since the state was last confirmed with the store; -1 for never
	Revision     uint64
	Stage        int // -1 when nothing was ever loaded
	StageName    string
	Percentage   BasisPoints // what the store says
	Effective    BasisPoints // what is acted on now
	Kills        Kills       // 0 = not killed
	Doubts       Doubts      // 0 = none
	LastError    error       // of the last refresh; nil after a good one
	Watcher      bool        // a thread of this process follows the store
	Bell         bool        // the doorbell is open and reaches this process
	Publications uint64      // how many states this rollout was given
	OverridesNew int         // users pinned to new
	OverridesOld int
	Salt         string
	Store        string // "sqlite", "memory"
	// How this process hashes the id of one user, and those of DecideMany: "shani", "avx512", ...
	HashKernel     string
	HashManyKernel string
}

// Info shows the freshness and state of the rollout. It may wait for a refresh in progress.
func (r *Rollout) Info(ctx context.Context) (Info, error) {
	if r == nil {
		return Info{Stage: -1, Age: -1}, &Error{Op: "info", Code: ErrInvalid, Message: "there is no rollout"}
	}
	if err := ctx.Err(); err != nil {
		return Info{}, &waitError{op: "info", name: r.name, cause: err}
	}
	hook := r.killSwitch != nil && r.killSwitch()
	line := r.enter()
	if line == nil {
		return Info{}, closed("info", r.name)
	}
	result := make(chan Info, 1)
	err := wait(ctx, "info", r.name, func() error {
		defer line.leave()
		out := C.canary_ctx_info{size: C.sizeof_canary_ctx_info}
		if code := C.canary_info((*C.canary_ctx)(pointer(r.ctx)), &out); code != C.CANARY_OK {
			return &Error{Op: "info", Name: r.name, Code: Code(code)}
		}
		result <- infoOf(&out)
		return nil
	}, nil)
	if err != nil {
		return Info{}, err
	}
	info := <-result
	if hook {
		info.Kills |= KillHook
		info.Effective = 0
	}
	return info, nil
}

func infoOf(out *C.canary_ctx_info) Info {
	info := Info{
		Rollout:      text(out.rollout[:]),
		Source:       Source(out.source),
		Age:          time.Duration(out.age_ns),
		Revision:     uint64(out.revision),
		Stage:        int(out.stage),
		StageName:    text(out.stage_name[:]),
		Percentage:   BasisPoints(out.percentage_bp),
		Effective:    BasisPoints(out.effective_bp),
		Kills:        Kills(out.kill_reasons),
		Doubts:       Doubts(out.doubt),
		Watcher:      out.watcher != 0,
		Bell:         out.bell != 0,
		Publications: uint64(out.publications),
		OverridesNew: int(out.overrides_new),
		OverridesOld: int(out.overrides_old),
		Salt:         text(out.salt[:]),
		Store:        text(out.store[:]),

		HashKernel:     text(out.hash_kernel[:]),
		HashManyKernel: text(out.hash_many_kernel[:]),
	}
	if out.last_error != C.CANARY_OK {
		info.LastError = &Error{Op: "refresh", Name: info.Rollout, Code: Code(out.last_error),
			Message: text(out.last_message[:])}
	}
	return info
}

// A Stage is a rung of a ladder.
type Stage struct {
	Name       string
	Percentage BasisPoints
	Dwell      time.Duration // how long it is meant to last; kept for policies
}

// A State is a rollout as the store has it.
type State struct {
	Name          string
	Stage         int // highest rung not above the percentage
	StageName     string
	Percentage    BasisPoints
	Effective     BasisPoints // 0 when killed by flag or environment; lower while in doubt
	Kills         Kills
	Doubts        Doubts
	Algorithm     int
	Salt          string
	Revision      uint64
	UpdatedAt     time.Time
	UpdatedBy     string
	Note          string
	Flag          string
	FlagEnabled   bool
	FlagUpdatedAt time.Time
	FlagUpdatedBy string
	FlagNote      string
	OverridesNew  int
	OverridesOld  int
	Stages        []Stage // stage 0 included
}

func stateOf(r *C.canary_rollout) State {
	state := State{
		Name:          text(r.name[:]),
		Stage:         int(r.stage),
		StageName:     text(r.stage_name[:]),
		Percentage:    BasisPoints(r.percentage_bp),
		Effective:     BasisPoints(r.effective_bp),
		Kills:         Kills(r.kill_reasons),
		Doubts:        Doubts(r.doubt),
		Algorithm:     int(r.algorithm),
		Salt:          text(r.salt[:]),
		Revision:      uint64(r.revision),
		UpdatedAt:     at(r.updated_at_ns),
		UpdatedBy:     text(r.updated_by[:]),
		Note:          text(r.note[:]),
		Flag:          text(r.flag[:]),
		FlagEnabled:   r.flag_enabled != 0,
		FlagUpdatedAt: at(r.flag_updated_at_ns),
		FlagUpdatedBy: text(r.flag_updated_by[:]),
		FlagNote:      text(r.flag_note[:]),
		OverridesNew:  int(r.overrides_new),
		OverridesOld:  int(r.overrides_old),
	}
	for i := 0; i < int(r.stage_count) && i < len(r.stages_bp); i++ {
		state.Stages = append(state.Stages, Stage{
			Name:       text(r.stage_names[i][:]),
			Percentage: BasisPoints(r.stages_bp[i]),
			Dwell:      time.Duration(r.dwell_ns[i]),
		})
	}
	return state
}

// at is a time of the store; 0 is no time at all.
func at(ns C.int64_t) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns)).UTC()
}

// Read reads one rollout afresh.
func (s *Store) Read(ctx context.Context, rollout string) (State, error) {
	if err := checkText("read", rollout, rollout); err != nil {
		return State{}, err
	}
	result := make(chan State, 1)
	err := s.do(ctx, reading, "read", rollout, func(c *C.canary_store, e *C.canary_error) C.int {
		name := C.CString(rollout)
		defer C.free(unsafe.Pointer(name))
		out := C.canary_rollout{size: C.sizeof_canary_rollout}
		code := C.canary_rollout_read(c, name, &out, e)
		if code == C.CANARY_OK {
			result <- stateOf(&out)
		}
		return code
	})
	if err != nil {
		return State{}, err
	}
	return <-result, nil
}
