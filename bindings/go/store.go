// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strings"
	"unsafe"
)

// A Store is where rollouts live. Rollouts of one store share its watcher, the thread that follows
// changes. Close it when done; a store that is forgotten is closed by the garbage collector.
type Store struct {
	*storeHandle
	path    string
	options Options
}

// storeHandle is what a cleanup can close, since it does not lead back to the Store.
type storeHandle struct {
	guard
	lanes  lanes
	c      *C.canary_store
	logger *logger
}

// OpenStore opens the SQLite store at path. KillSwitch and StaleAfter in options are those of the
// rollouts that are opened without options of their own.
func OpenStore(ctx context.Context, path string, options *Options) (*Store, error) {
	if err := checkText("open", path, path); err != nil {
		return nil, err
	}
	return openStore(ctx, path, options, func(o *C.canary_options, out **C.canary_store,
		e *C.canary_error) C.int {
		text := C.CString(path)
		defer C.free(unsafe.Pointer(text))
		return C.canary_store_open(text, o, out, e)
	})
}

// OpenMemory opens a new, empty store in memory: for tests, and for programs that keep no state. It
// belongs to this handle alone. Changes are in effect when the changing call returns.
func OpenMemory(options *Options) (*Store, error) {
	return openStore(context.Background(), "", options, func(o *C.canary_options,
		out **C.canary_store, e *C.canary_error) C.int {
		return C.canary_store_open_memory(o, out, e)
	})
}

func openStore(ctx context.Context, path string, options *Options,
	open func(*C.canary_options, **C.canary_store, *C.canary_error) C.int) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, &waitError{op: "open", name: path, cause: err}
	}
	store := &Store{storeHandle: &storeHandle{lanes: newLanes()}, path: path,
		options: *options.orDefault()}
	err := wait(ctx, "open", path, func() error {
		cOptions := store.options.c()
		log := newLogger(store.options.Logger, &cOptions)
		var cError C.canary_error
		C.canary_error_init(&cError, C.uint32_t(C.sizeof_canary_error))
		var out *C.canary_store
		if open(&cOptions, &out, &cError) != C.CANARY_OK {
			log.end()
			return failure("open", path, &cError)
		}
		store.c, store.logger = out, log
		return nil
	}, func() { store.storeHandle.shut() })
	if err != nil {
		return nil, err
	}
	// The handle's guard makes this safe against a method that still runs when the Store itself is
	// out of use, so that no method needs runtime.KeepAlive.
	runtime.AddCleanup(store, func(h *storeHandle) { go h.shut() }, store.storeHandle)
	return store, nil
}

// Close lets go of the store after the calls in progress have ended. Rollouts opened on it go on;
// the last one closed ends the watcher. It answers nil always, also when called again.
func (s *Store) Close() error {
	if s != nil {
		s.storeHandle.shut()
	}
	return nil
}

func (h *storeHandle) shut() {
	if h.guard.close() && h.c != nil {
		C.canary_store_close(&h.c)
		h.logger.release()
	}
}

// Refresh does at once what the watcher does at a ring or a tick: reads, and publishes what changed
// to every rollout of the store. For programs with NoWatcher.
func (s *Store) Refresh(ctx context.Context) error {
	return s.do(ctx, reading, "refresh", "", func(c *C.canary_store, e *C.canary_error) C.int {
		return C.canary_refresh(c, e)
	})
}

// do makes one call on the store: counted by the guard, in its lane, awaited as long as ctx lasts.
func (s *Store) do(ctx context.Context, way lane, op, name string,
	call func(*C.canary_store, *C.canary_error) C.int) error {
	return s.doOr(ctx, way, op, name, call, nil)
}

// doOr is do, and undo is called when the call succeeds after nobody waited for it any more.
func (s *Store) doOr(ctx context.Context, way lane, op, name string,
	call func(*C.canary_store, *C.canary_error) C.int, undo func()) error {
	if s == nil {
		return &Error{Op: op, Name: name, Code: ErrInvalid, Message: "there is no store"}
	}
	line := s.guard.enter()
	if line == nil {
		return closed(op, name)
	}
	release, err := s.lanes.enter(ctx, way)
	if err != nil {
		line.leave()
		return &waitError{op: op, name: name, cause: err}
	}
	return wait(ctx, op, name, func() error {
		defer line.leave()
		defer release()
		var cError C.canary_error
		C.canary_error_init(&cError, C.uint32_t(C.sizeof_canary_error))
		if call(s.c, &cError) != C.CANARY_OK {
			return failure(op, name, &cError)
		}
		return nil
	}, undo)
}

func closed(op, name string) error { return &waitError{op: op, name: name, cause: ErrClosed} }

func failure(op, name string, e *C.canary_error) error {
	return &Error{
		Op:       op,
		Name:     name,
		Code:     Code(e.code),
		System:   int(e.system),
		InEffect: e.in_effect != 0,
		Message:  text(e.message[:]),
	}
}

// text is the string in an array of the C library.
func text(array []C.char) string { return C.GoString(&array[0]) }

// checkText refuses what C would cut off without a word.
func checkText(op, name string, texts ...string) error {
	for _, t := range texts {
		if i := strings.IndexByte(t, 0); i >= 0 {
			return &Error{Op: op, Name: name, Code: ErrInvalid,
				Message: "a text holds a zero byte; names, notes and paths cannot"}
		}
	}
	return nil
}
