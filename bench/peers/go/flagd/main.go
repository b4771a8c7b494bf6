// SPDX-License-Identifier: MIT

// flagd's evaluator, which flagd and its in-process provider share; nothing logged or traced.
package main

import (
	"context"
	"os"

	"github.com/open-feature/flagd/core/pkg/evaluator"
	"github.com/open-feature/flagd/core/pkg/logger"
	"github.com/open-feature/flagd/core/pkg/store"
	"github.com/open-feature/flagd/core/pkg/sync"
	"go.uber.org/zap"
	"harness"
)

func main() {
	flags, err := os.ReadFile(os.Getenv("PEER_FLAGS") + "/flags-flagd.json")
	if err != nil {
		panic(err)
	}
	engine := evaluator.NewJSON(logger.NewLogger(zap.NewNop(), false), store.NewFlags())
	if _, _, err := engine.SetState(sync.DataSync{FlagData: string(flags), Source: "bench"}); err != nil {
		panic(err)
	}
	background := context.Background()
	prepare := func(id string) map[string]any { return map[string]any{"targetingKey": id} }
	evaluate := func(user map[string]any) bool {
		on, _, _, _, err := engine.ResolveBooleanValue(background, "", "checkout", user)
		if err != nil {
			panic(err)
		}
		return on
	}
	harness.Run(harness.Version("github.com/open-feature/flagd/core"),
		func(id string) bool { return evaluate(prepare(id)) }, prepare, evaluate)
}
