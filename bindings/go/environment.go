// SPDX-License-Identifier: MIT

package canary

import (
	"os"
	"strings"
)

// environmentKills says whether CANARY_KILL names the rollout, as the C library reads it.
func environmentKills(rollout string) bool {
	words := strings.FieldsFunc(os.Getenv("CANARY_KILL"), func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t' || r == '\n'
	})
	for _, word := range words {
		if word == "all" || word == rollout {
			return true
		}
	}
	return false
}

func validName(name string) bool {
	if len(name) == 0 || len(name) > 128 {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' ||
			c == '_' || c == '-') {
			return false
		}
	}
	return true
}
