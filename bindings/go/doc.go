// SPDX-License-Identifier: MIT

// Package canary answers, on every request, whether a user gets the new path of a rollout or the
// old one.
//
//	rollout, err := canary.Open(ctx, "canary.db", "checkout", nil)
//	if err != nil {
//		log.Print(err) // everybody gets the old path: a nil *Rollout decides "old"
//	}
//	defer rollout.Close()
//
//	if rollout.ShouldUseNew(user) {
//
// There are two ways to decide, and both satisfy [Decider]:
//
//   - A [Rollout] is the C library through cgo: it follows its store by itself, within a fraction of
//     a millisecond after a change on the same host. Open, Store and Rollout are there when the
//     program is built with cgo.
//   - A [Replica] is pure Go. It decides from a state that the program loads, the JSON of
//     `canaryctl status -o json`, and is there in every build.
//
// The two give every user the same bucket. Programs that are built both ways take a Decider, and
// open one or the other in two files of their own with the build tags cgo and !cgo. What needs the
// C library does not exist in a build without it, so that its use is an error of the compiler and
// never one at run time.
//
// # Recording
//
// With cgo a program also records what requests live through, for the cohort that served them, and
// reads the figures of all processes:
//
//	request := rollout.Start(ctx, user)
//	defer request.End(&err)
//	if request.New() {
//
// A Rollout and a Replica both satisfy [Recorder], but a replica cannot record, and says so.
//
// # Goroutines and closing
//
// Every function and method may be called from any goroutine at any time, also on a handle that is
// being closed: Close waits for the calls in progress, and calls made later answer "old" or
// [ErrClosed].
//
// # Waiting
//
// Decisions wait for nothing, take no [context.Context], and allocate nothing. Whatever can wait for
// a file or a lock takes one. A call that has reached the store cannot be called back: when its
// context ends first, the call returns, but goes on behind. A change may then still be made, and
// the error says so with [ErrUnfinished].
//
// # User ids
//
// An id is any bytes; nothing is trimmed, folded or decoded, and an id may hold zero bytes. The
// empty id is not a user: it gets the old path.
package canary
