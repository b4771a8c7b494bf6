// SPDX-License-Identifier: MIT

//go:build cgo

package canary_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"libcanary.example/canary"
)

// late is an error of a library whose timeouts are not Go's.
type late struct{}

func (late) Error() string { return "late" }

func (late) Timeout() bool { return true }

// sleepy is a context whose timer has not come yet.
type sleepy struct{ context.Context }

func (sleepy) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

// early is one that is no timeout, and says so.
type early struct{}

func (early) Error() string { return "early" }

func (early) Timeout() bool { return false }

func TestRequests(t *testing.T) {
	past, cancel := context.WithDeadline(background, time.Unix(1, 0))
	defer cancel()
	gone, leave := context.WithCancel(background)
	leave()
	_, refused := (&net.Dialer{Timeout: time.Nanosecond}).Dial("tcp", "192.0.2.1:1")
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		status canary.Status
	}{
		{"ok", background, nil, canary.StatusOK},
		{"ok without a context", nil, nil, canary.StatusOK},
		{"ok after the deadline", past, nil, canary.StatusOK},
		{"error", background, errors.New("no"), canary.StatusError},
		{"error without a context", nil, errors.New("no"), canary.StatusError},
		{"cancelled", gone, context.Canceled, canary.StatusError},
		{"deadline", background, fmt.Errorf("asking: %w", context.DeadlineExceeded), canary.StatusTimeout},
		{"deadline of a file", background, os.ErrDeadlineExceeded, canary.StatusTimeout},
		{"network", background, refused, canary.StatusTimeout},
		{"among others", background, errors.Join(errors.New("no"), late{}), canary.StatusTimeout},
		{"beside one that is none", background, errors.Join(early{}, context.DeadlineExceeded), canary.StatusTimeout},
		{"beside a file's that is none", background, errors.Join(early{}, os.ErrDeadlineExceeded), canary.StatusTimeout},
		{"none", background, early{}, canary.StatusError},
		{"after the deadline", past, errors.New("no rows"), canary.StatusTimeout},
		{"after a deadline that nobody told of", sleepy{background}, errors.New("no rows"), canary.StatusTimeout},
		{"cancelled before the deadline", sleepy{gone}, errors.New("no rows"), canary.StatusError},
		{"this library's own", background, canary.ErrBusy, canary.StatusTimeout},
	} {
		half := halfway(t, nil)
		work := func() (err error) {
			request := half.Start(c.ctx, "alice")
			defer request.End(&err)
			if !request.New() || request.Decision().Bucket != 178 || request.Status() != canary.StatusNone {
				t.Errorf("%s: %v", c.name, request.Decision())
			}
			return c.err
		}
		if err := work(); err != c.err {
			t.Errorf("%s: %v", c.name, err)
		}
		found := figures(t, half, canary.Query{})
		failed, timeout := row(t, found, "error").New, row(t, found, "timeout").New
		if failed.N != 1 || (failed.K == 1) != (c.status == canary.StatusError) ||
			(timeout.K == 1) != (c.status == canary.StatusTimeout) || row(t, found, "duration").New.N != 1 {
			t.Errorf("%s: %+v %+v", c.name, failed, timeout)
		}
	}
}

func TestAPanicIsRecordedAndGoesOn(t *testing.T) {
	half := halfway(t, nil)
	reason := errors.New("boom")
	caught := func() (caught any) {
		defer func() { caught = recover() }()
		var err error
		request := half.Start(background, "alice")
		defer request.End(&err)
		panic(reason)
	}()
	if caught != reason {
		t.Errorf("caught %v", caught)
	}
	if failed := row(t, figures(t, half, canary.Query{}), "error"); failed.New.N != 1 || failed.New.K != 1 {
		t.Errorf("%+v", failed)
	}
}

func TestARequestCountsOnce(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	failed := errors.New("no")
	request := half.Start(background, "alice")
	for range 3 {
		request.Measure(canary.Number("cost", 0.5), canary.Hit("cache_hit", true))
	}
	var group sync.WaitGroup
	for range 20 {
		group.Add(2)
		go func() { defer group.Done(); request.Measure(canary.Number("quality", 1)) }()
		go func() { defer group.Done(); request.New(); request.Duration() }()
	}
	group.Wait()
	for range 20 {
		group.Add(1)
		go func() { defer group.Done(); request.End(nil) }()
	}
	group.Wait()
	request.End(&failed)
	request.Measure(canary.Number("cost", 100))
	request.SetStatus(canary.StatusError)
	request.Discard()
	if request.Status() != canary.StatusOK || request.Duration() <= 0 {
		t.Errorf("%v %v", request.Status(), request.Duration())
	}
	found := figures(t, half, canary.Query{})
	if row(t, found, "error").New.N != 1 || row(t, found, "cost").New.Sum != 1.5 || row(t, found, "quality").New.N != 20 {
		t.Errorf("%+v", found.Rows)
	}
}

func TestAStatusThatWasSetCounts(t *testing.T) {
	half := halfway(t, nil)
	metrics(t, half)
	failed := errors.New("not found")
	for _, status := range []canary.Status{canary.StatusOK, canary.StatusTimeout, canary.StatusNone, 9} {
		request := half.Start(background, "alice")
		request.SetStatus(status)
		request.Measure(canary.Hit("cache_hit", true))
		request.End(&failed)
		if request.Status() != status {
			t.Errorf("%v became %v", status, request.Status())
		}
	}
	request := half.Start(background, "alice")
	request.Discard()
	request.End(&failed)
	found := figures(t, half, canary.Query{})
	if n := row(t, found, "error").New; n.N != 2 || n.K != 0 || row(t, found, "cache_hit").New.N != 3 {
		t.Errorf("%+v", found.Rows)
	}
	if !reflect.DeepEqual(rejected(t, half), map[canary.Cause]uint64{canary.RejectedStatus: 1}) {
		t.Error(rejected(t, half))
	}
}

func TestRequestsFollowTheClock(t *testing.T) {
	begin := time.Unix(1000000000, 0)
	clock := canary.NewClock(begin)
	half := halfway(t, (&canary.Options{}).WithClock(clock))
	request := half.Start(background, "alice")
	clock.Set(begin.Add(125 * time.Millisecond))
	request.End(nil)
	if sum := row(t, figures(t, half, canary.Query{Window: time.Minute}), "duration").New.Sum; sum != 0.125 ||
		request.Duration() != 125*time.Millisecond {
		t.Errorf("%v s", sum)
	}
	// One that went back.
	request = half.Start(background, "alice")
	clock.Set(begin)
	request.End(nil)
	if len(rejected(t, half)) != 0 {
		t.Error(rejected(t, half))
	}
}
