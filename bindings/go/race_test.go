// SPDX-License-Identifier: MIT

//go:build race

package canary_test

// The race detector keeps memory of its own, and makes sync.Pool forget now and then.
const underRace = true
