// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#cgo pkg-config: libcanary
#include "bridge.h"
*/
import "C"

import (
	"log/slog"
	"time"
)

// Options say how to open. Nil, and the zero value, is the default everywhere.
type Options struct {
	Create    bool // make the store when there is none
	ReadOnly  bool // never write, not even to finish a dead writer's work
	NoWatcher bool // no thread that follows changes: the program calls Refresh itself
	// Defer opens although nothing can be read yet: decisions answer "old", reason NOT_READY, until
	// the state can be read.
	Defer bool

	Tick        time.Duration // how often to look without a bell; 0 = 250 ms; 1 ms to 1 h
	BusyTimeout time.Duration // how long a change waits for a locked store; 0 = 5 s; up to 1 h
	// StaleAfter makes decisions of a rollout answer "old" when its state was not confirmed for this
	// long; 0 keeps the last known state. Decisions then take the clock, some 20 ns.
	StaleAfter time.Duration

	// KillSwitch is the application's kill switch of a rollout: asked on each decision, true kills.
	// It is called in Go, before the library is entered, so that it costs what it costs and no
	// crossing: an atomic load is 1 ns, a mutex that all goroutines take is a bottleneck of the
	// whole program. nil costs nothing. It is called by many goroutines at once.
	KillSwitch func() bool

	// Logger receives what the library has to say; nil is silence. No line holds a user id. Lines
	// are handed over by a goroutine, so that the logger can neither hold up nor be held up by the
	// library; when it is more than 256 lines behind, lines are dropped and counted.
	Logger *slog.Logger

	clock *Clock
}

func (o *Options) orDefault() *Options {
	if o == nil {
		return &Options{}
	}
	return o
}

// c fills the C struct. The logger belongs to whoever opens the store.
func (o *Options) c() C.canary_options {
	var options C.canary_options
	C.canary_options_init(&options, C.uint32_t(C.sizeof_canary_options))
	for _, flag := range []struct {
		set bool
		bit C.uint32_t
	}{
		{o.Create, C.CANARY_OPEN_CREATE},
		{o.ReadOnly, C.CANARY_OPEN_READ_ONLY},
		{o.NoWatcher, C.CANARY_OPEN_NO_WATCHER},
		{o.Defer, C.CANARY_OPEN_DEFER},
	} {
		if flag.set {
			options.flags |= flag.bit
		}
	}
	options.tick_ns = C.int64_t(o.Tick)
	options.busy_timeout_ns = C.int64_t(o.BusyTimeout)
	options.stale_after_ns = C.int64_t(o.StaleAfter)
	if o.clock != nil {
		C.bridge_set_clock(&options, o.clock.now)
	}
	return options
}

// Version is the version of the C library that is really loaded, for example "0.1.0".
func Version() string { return C.GoString(C.canary_version()) }

// A Clock stands still until it is moved: for tests of what happens when a state gets old.
// Package canarytest opens rollouts with one.
type Clock struct{ now *C.int64_t }

// NewClock makes a clock that shows this time. It lives as long as the program, since a store may
// ask it until its last rollout is closed.
func NewClock(now time.Time) *Clock {
	clock := C.bridge_clock_new(C.int64_t(now.UnixNano()))
	if clock == nil {
		panic("canary: no memory for a clock")
	}
	return &Clock{now: clock}
}

// Set moves the clock.
func (c *Clock) Set(now time.Time) { C.bridge_clock_set(c.now, C.int64_t(now.UnixNano())) }

func (c *Clock) ns() int64 { return int64(C.bridge_clock_get(c.now)) }

// WithClock answers a copy of the options under which a store takes its time from the clock.
func (o *Options) WithClock(clock *Clock) *Options {
	copied := *o.orDefault()
	copied.clock = clock
	return &copied
}
