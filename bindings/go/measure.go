// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#cgo noescape bridge_nothing
#cgo nocallback bridge_nothing
#cgo noescape bridge_decide_often
#cgo nocallback bridge_decide_often
#cgo noescape bridge_record_often
#cgo nocallback bridge_record_often
#include "bridge.h"
*/
import "C"

// What the benchmarks measure against; tests cannot have C of their own.

// nothing is a call of cgo with the arguments of a decision, which does nothing.
func nothing(user string) bool { return C.bridge_nothing(0, idOf(user), C.uint64_t(len(user))) != 0 }

// often decides in a loop in C.
func (r *Rollout) often(user string, times int) int {
	return int(C.bridge_decide_often(r.ctx, idOf(user), C.uint64_t(len(user)), C.uint64_t(times)))
}

// oftenRecorded records in a loop in C.
func (r *Rollout) oftenRecorded(decision Decision, ns int64, times int) {
	told := decision.c()
	C.bridge_record_often(r.ctx, &told, C.int64_t(ns), C.uint64_t(times))
}
