// SPDX-License-Identifier: MIT

// go-feature-flag as a module in the process: the flag from a file, no exporter, no logger.
package main

import (
	"os"
	"time"

	ffclient "github.com/thomaspoignant/go-feature-flag"
	"github.com/thomaspoignant/go-feature-flag/ffcontext"
	"github.com/thomaspoignant/go-feature-flag/retriever/fileretriever"
	"harness"
)

func main() {
	client, err := ffclient.New(ffclient.Config{
		PollingInterval: time.Hour,
		FileFormat:      "json",
		Retriever: &fileretriever.Retriever{
			Path: os.Getenv("PEER_FLAGS") + "/flags-goff.json",
		},
	})
	if err != nil {
		panic(err)
	}
	evaluate := func(user ffcontext.EvaluationContext) bool {
		on, err := client.BoolVariation("checkout", user, false)
		if err != nil {
			panic(err)
		}
		return on
	}
	harness.Run(harness.Version("github.com/thomaspoignant/go-feature-flag"),
		func(id string) bool { return evaluate(ffcontext.NewEvaluationContext(id)) },
		ffcontext.NewEvaluationContext, evaluate)
}
