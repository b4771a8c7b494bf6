// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"sync"
	"unsafe"
)

// scratch is what DecideMany copies ids to: C must not be given memory that leads on to other memory
// of Go, and pinning each id costs more than copying it.
type scratch struct {
	bytes []byte
	users []C.struct_bridge_user
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

const keptScratch = 1 << 20 // larger ones are left to the garbage collector

// DecideMany decides for all users under one and the same state; a kill switch is asked once. It
// sets into[i] for users[i] and answers how many get the new path. into must be as long as users at
// least.
func (r *Rollout) DecideMany(users []string, into []bool) int {
	into = into[:len(users)]
	clear(into)
	if r == nil || len(users) == 0 || r.killSwitch != nil && r.killSwitch() {
		return 0
	}
	line := r.enter()
	if line == nil {
		return 0
	}
	space := scratches.Get().(*scratch)
	bytes, list := space.bytes[:0], space.users[:0]
	for _, user := range users {
		list = append(list, C.struct_bridge_user{begin: C.uint64_t(len(bytes)),
			size: C.uint64_t(len(user))})
		bytes = append(bytes, user...)
	}
	count := C.bridge_decide_many(r.ctx, (*C.char)(unsafe.Pointer(unsafe.SliceData(bytes))),
		unsafe.SliceData(list), C.uint64_t(len(list)), (*C.uint8_t)(unsafe.Pointer(&into[0])))
	line.leave()
	if cap(bytes) <= keptScratch {
		space.bytes, space.users = bytes, list
		scratches.Put(space)
	}
	return int(count)
}

// DecideRollouts decides for one user on many rollouts: into[i] becomes what rollouts[i] would answer,
// and the answer is how many give the new path. The id is hashed once for rollouts of one salt that
// stand together. into must be as long as rollouts at least.
func DecideRollouts(user string, rollouts []*Rollout, into []bool) int {
	into = into[:len(rollouts)]
	clear(into)
	if user == "" {
		return 0
	}
	const most = 32 // as in bridge.h
	count := 0
	for len(rollouts) > 0 {
		n := min(most, len(rollouts))
		var handles [most]C.uintptr_t
		var lines [most]*guardLine
		var killed [most]bool
		for i, r := range rollouts[:n] {
			// All of them before any handle is held: one that panics must not leave a handle that can
			// never be closed.
			killed[i] = r == nil || r.killSwitch != nil && r.killSwitch()
		}
		for i, r := range rollouts[:n] {
			if killed[i] {
				continue
			}
			if lines[i] = r.enter(); lines[i] != nil {
				handles[i] = r.ctx
			}
		}
		count += int(C.bridge_decide_rollouts(&handles[0], C.uint64_t(n), idOf(user),
			C.uint64_t(len(user)), (*C.uint8_t)(unsafe.Pointer(&into[0]))))
		for _, line := range lines[:n] {
			if line != nil {
				line.leave()
			}
		}
		rollouts, into = rollouts[n:], into[n:]
	}
	return count
}
