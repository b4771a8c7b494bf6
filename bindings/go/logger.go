// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"runtime/cgo"
	"sync"
	"sync/atomic"
)

// A logger carries the library's lines to a slog.Logger. The library logs with its locks held, and
// a handler may do anything, even ask this library: so lines go through a channel.
type logger struct {
	to      *slog.Logger
	lines   chan logLine
	lost    atomic.Int64
	handle  cgo.Handle
	mutex   sync.Mutex
	users   int // the store, and each rollout opened on it: the last one ends the library's watcher
	isEnded bool
}

type logLine struct {
	level   slog.Level
	message string
}

func newLogger(to *slog.Logger, options *C.canary_options) *logger {
	if to == nil {
		return nil
	}
	l := &logger{to: to, lines: make(chan logLine, 256), users: 1}
	level := C.uint32_t(C.CANARY_LOG_ERROR)
	for _, more := range []struct {
		slog slog.Level
		c    C.uint32_t
	}{
		{slog.LevelWarn, C.CANARY_LOG_WARNING},
		{slog.LevelInfo, C.CANARY_LOG_INFO},
		{slog.LevelDebug, C.CANARY_LOG_DEBUG},
	} {
		if to.Enabled(context.Background(), more.slog) {
			level = more.c
		}
	}
	l.handle = cgo.NewHandle(l)
	C.bridge_set_log(options, C.uintptr_t(l.handle), level)
	go l.run()
	return l
}

func (l *logger) run() {
	for line := range l.lines {
		l.to.Log(context.Background(), line.level, line.message)
		if lost := l.lost.Swap(0); lost > 0 {
			l.to.Warn("canary: lines were dropped", "count", lost)
		}
	}
}

// retain and release count the handles behind which the library may still log.
func (l *logger) retain() {
	if l != nil {
		l.mutex.Lock()
		l.users++
		l.mutex.Unlock()
	}
}

func (l *logger) release() {
	if l == nil {
		return
	}
	l.mutex.Lock()
	l.users--
	last := l.users == 0
	l.mutex.Unlock()
	if last {
		l.end()
	}
}

func (l *logger) end() {
	if l != nil && !l.isEnded {
		l.isEnded = true
		l.handle.Delete()
		close(l.lines)
	}
}

//export canaryGoLog
func canaryGoLog(to C.uintptr_t, level C.int, message *C.char) {
	l := cgo.Handle(to).Value().(*logger)
	levels := map[C.int]slog.Level{
		C.CANARY_LOG_ERROR:   slog.LevelError,
		C.CANARY_LOG_WARNING: slog.LevelWarn,
		C.CANARY_LOG_INFO:    slog.LevelInfo,
		C.CANARY_LOG_DEBUG:   slog.LevelDebug,
	}
	select {
	case l.lines <- logLine{levels[level], C.GoString(message)}:
	default:
		l.lost.Add(1)
	}
}
