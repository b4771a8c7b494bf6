// SPDX-License-Identifier: MIT

//go:build !race

package canary_test

const underRace = false
