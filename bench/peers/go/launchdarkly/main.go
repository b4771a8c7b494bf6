// SPDX-License-Identifier: MIT

// LaunchDarkly's server SDK: the flag from a file, events off, nothing logged.
package main

import (
	"os"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/ldfiledata"
	"harness"
)

func main() {
	client, err := ld.MakeCustomClient("bench", ld.Config{
		DataSource:       ldfiledata.DataSource().FilePaths(os.Getenv("PEER_FLAGS") + "/flags-launchdarkly.json"),
		Events:           ldcomponents.NoEvents(),
		Logging:          ldcomponents.NoLogging(),
		DiagnosticOptOut: true,
	}, 5*time.Second)
	if err != nil {
		panic(err)
	}
	evaluate := func(user ldcontext.Context) bool {
		on, err := client.BoolVariation("checkout", user, false)
		if err != nil {
			panic(err)
		}
		return on
	}
	harness.Run(harness.Version("github.com/launchdarkly/go-server-sdk/v7"),
		func(id string) bool { return evaluate(ldcontext.New(id)) },
		ldcontext.New, evaluate)
}
