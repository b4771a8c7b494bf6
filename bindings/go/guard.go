// SPDX-License-Identifier: MIT

package canary

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// A guard lets many goroutines use a handle while one closes it. The C library asks its callers to
// have no decision running on a context that is being closed; a guard is how this package keeps to
// that without asking the same of its own callers.
//
// A read-write lock would do, but each decision would write the one cache line of the lock and
// cores would wait for each other. So users are counted in many lines, and a goroutine takes one by
// the address of its stack, which goroutines that run at the same time do not share.
type guard struct {
	closed atomic.Bool
	users  [guardLines]guardLine
}

const guardLines = 64

// Two lines, since processors fetch them in pairs.
type guardLine struct {
	count atomic.Int64
	_     [120]byte
}

// enter answers nil once the guard is closed. Otherwise leave must be called on what it answers.
func (g *guard) enter() *guardLine {
	var here byte
	line := &g.users[uintptr(unsafe.Pointer(&here))>>11%guardLines]
	// Counted first and asked after: either the closer sees the count, or this sees that it is
	// closed. Go's atomics are sequentially consistent, which this rests on.
	line.count.Add(1)
	if g.closed.Load() {
		line.count.Add(-1)
		return nil
	}
	return line
}

func (l *guardLine) leave() { l.count.Add(-1) }

// close answers true to the one caller who closed the guard, after everybody has left.
func (g *guard) close() bool {
	if !g.closed.CompareAndSwap(false, true) {
		return false
	}
	for i := range g.users {
		for turn := 0; g.users[i].count.Load() != 0; turn++ {
			if turn < 100 {
				runtime.Gosched()
			} else {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
	return true
}
