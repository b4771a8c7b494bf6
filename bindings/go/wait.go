// SPDX-License-Identifier: MIT

//go:build cgo

package canary

import (
	"context"
	"errors"
	"strconv"
)

// Each call that waits in C keeps a thread of the operating system, and the Go runtime ends the
// program at ten thousand of them. The library makes the calls of one store one at a time anyway,
// so callers wait here, in Go, where waiting is cheap and can be given up without doubt about what
// was done.
//
// What lowers exposure never queues behind what may be stuck: it has a lane of its own, wide enough
// that only a flood meets a limit.
type lane int

const (
	reading lane = iota
	changing
	lowering
	measuring // in the metrics database, which is apart so that nothing of it delays the others
	laneCount
)

type lanes [laneCount]chan struct{}

func newLanes() lanes {
	return lanes{make(chan struct{}, 4), make(chan struct{}, 1), make(chan struct{}, 256),
		make(chan struct{}, 4)}
}

func (l *lanes) enter(ctx context.Context, way lane) (release func(), err error) {
	seats := l[way]
	release = func() { <-seats }
	if way == lowering {
		// A rollback is begun whatever became of the request that asked for it.
		select {
		case seats <- struct{}{}:
			return release, nil
		default:
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case seats <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wait runs call, and answers before it has ended only when ctx ends. late is called when it succeeds
// after that.
func wait(ctx context.Context, op, name string, call func() error, late func()) error {
	if ctx.Done() == nil {
		return call()
	}
	result := make(chan error, 1)
	go func() { result <- call() }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result: // both at once: the answer is worth more
		return err
	default:
	}
	if late != nil {
		go func() {
			if <-result == nil {
				late()
			}
		}()
	}
	return &waitError{op: op, name: name, cause: errors.Join(ctx.Err(), ErrUnfinished)}
}

// A waitError is a call that did not come to the store, or was not waited for.
type waitError struct {
	op, name string
	cause    error
}

func (e *waitError) Error() string {
	text := "canary: " + e.op
	if e.name != "" {
		text += " " + strconv.Quote(e.name)
	}
	switch {
	case errors.Is(e.cause, ErrUnfinished):
		cause := e.cause.(interface{ Unwrap() []error }).Unwrap()[0]
		return text + ": " + cause.Error() + "; the call goes on, and what it changes may still be changed"
	case e.cause == ErrClosed:
		return text + ": the handle is closed"
	}
	return text + ": " + e.cause.Error() + "; nothing was changed"
}

func (e *waitError) Unwrap() error { return e.cause }
