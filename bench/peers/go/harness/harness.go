// SPDX-License-Identifier: MIT

// Package harness is the same loop around every Go peer; PROTOCOL.md beside the peers says what
// goes over the pipes.
package harness

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// Contexts built beforehand are few, so that they stay in the cache: in the peer's favour.
const prepared = 10_000

// Run answers rounds until standard input ends. decide is the whole question, from the id to the
// answer; evaluate answers from what prepare built, and is nil where the two are one.
func Run[C any](version string, decide func(string) bool, prepare func(string) C,
	evaluate func(C) bool) {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	ids := strings.Fields(string(text))
	modes := `["call"]`
	var contexts []C
	if evaluate != nil {
		modes = `["call", "ready"]`
		for _, id := range ids[:prepared] {
			contexts = append(contexts, prepare(id))
		}
	}
	fmt.Printf("{\"version\": %q, \"modes\": %s}\n", version, modes)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var mode string
		var offset, count int
		if _, err := fmt.Sscan(lines.Text(), &mode, &offset, &count); err != nil {
			panic(err)
		}
		if mode == "call" {
			round(ids, offset, count, decide)
		} else {
			round(contexts, offset, count, evaluate)
		}
	}
}

func round[T any](users []T, offset, count int, f func(T) bool) {
	hits := 0
	next := offset % len(users)
	start := time.Now()
	for left := count; left > 0; next = 0 {
		part := min(left, len(users)-next)
		for _, user := range users[next : next+part] {
			if f(user) {
				hits++
			}
		}
		left -= part
	}
	fmt.Println(time.Since(start).Nanoseconds(), hits)
}

// Version is what the module's build says about one of its dependencies.
func Version(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "?"
}
