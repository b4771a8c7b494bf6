// SPDX-License-Identifier: MIT

package canary_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"libcanary.example/canary"
)

// What the pages show of Go stands, line by line, in a program that is compiled and run.
func TestPagesShowWhatRuns(t *testing.T) {
	const top = "../../"
	var programs []string
	for _, room := range []string{".", top + "examples/go"} {
		filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				text, _ := os.ReadFile(path)
				programs = append(programs, flat(string(text)))
			}
			return nil
		})
	}
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```")
	for _, page := range []string{"README.md", "docs/go.md"} {
		text, err := os.ReadFile(top + page)
		if err != nil {
			t.Skipf("the pages come with the whole project only: %v", err)
		}
		found := blocks.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s shows no Go", page)
		}
		for _, block := range found {
			runs := false
			for _, program := range programs {
				runs = runs || strings.Contains(program, flat(block[1]))
			}
			if !runs {
				t.Errorf("%s: no program has this:\n%s", page, block[1])
			}
		}
	}
}

// flat takes the indentation off every line.
func flat(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// The numbers and names are those of the header.
func TestNumbersAreThoseOfTheHeaders(t *testing.T) {
	header := func(name string) string {
		text, err := os.ReadFile("../../include/canary/" + name)
		if err != nil {
			t.Skipf("the headers come with the whole project only: %v", err)
		}
		return string(text)
	}
	codes := regexp.MustCompile(`#define (CANARY_E_\w+) \((-\d+)\)`).FindAllStringSubmatch(header("error.h"), -1)
	for _, code := range codes {
		if got := canary.Code(number(t, code[2])); got.Name() != code[1] || strings.Contains(got.Error(), "error -") {
			t.Errorf("%s is %q here", code[1], got.Name())
		}
	}
	reasons := regexp.MustCompile(`#define CANARY_REASON_(\w+) (\d+)`).FindAllStringSubmatch(header("decide.h"), -1)
	for _, reason := range reasons {
		if got := canary.Reason(number(t, reason[2])).String(); !strings.EqualFold(got, reason[1]) {
			t.Errorf("%s is %q here", reason[1], got)
		}
	}
	names := func(pattern string, least int, of func(int) string) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(header("observe.h"), -1)
		for _, named := range found {
			if got := of(number(t, named[2])); !strings.EqualFold(got, named[1]) {
				t.Errorf("%s is %q here", named[1], got)
			}
		}
		if len(found) < least {
			t.Errorf("%d of %s found", len(found), pattern)
		}
	}
	names(`#define CANARY_STATUS_(\w+) \(?(-?\d+)\)?`, 4, func(n int) string { return canary.Status(n).String() })
	names(`#define CANARY_METRIC_(\w+) (\d) `, 5, func(n int) string { return canary.Kind(n).String() })
	names(`#define CANARY_REJECTED_(\w+) (\d) `, 8, func(n int) string { return canary.Cause(n).String() })
	if len(codes) < 22 || len(reasons) < 7 {
		t.Errorf("%d codes and %d reasons found", len(codes), len(reasons))
	}
}
