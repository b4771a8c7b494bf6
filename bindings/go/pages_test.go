// SPDX-License-Identifier: MIT

package canary_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
