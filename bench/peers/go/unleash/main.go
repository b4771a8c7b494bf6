// SPDX-License-Identifier: MIT

// Unleash's SDK, started from a file, metrics and impressions off. It insists on a server: what it
// is told is a closed port of this machine, asked once and not again during the run.
package main

import (
	"os"
	"time"

	unleash "github.com/Unleash/unleash-client-go/v4"
	"github.com/Unleash/unleash-client-go/v4/context"
	"harness"
)

func main() {
	flags, err := os.Open(os.Getenv("PEER_FLAGS") + "/flags-unleash.json")
	if err != nil {
		panic(err)
	}
	backup, err := os.MkdirTemp("", "peer-unleash")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(backup)
	client, err := unleash.NewClient(
		unleash.WithAppName("bench"),
		unleash.WithUrl("http://127.0.0.1:9/"),
		unleash.WithDisableMetrics(true),
		unleash.WithRefreshInterval(time.Hour),
		unleash.WithBackupPath(backup),
		unleash.WithStorage(&unleash.BootstrapStorage{Reader: flags}),
		unleash.WithListener(&unleash.NoopListener{}))
	if err != nil {
		panic(err)
	}
	prepare := func(id string) context.Context { return context.Context{UserId: id} }
	evaluate := func(user context.Context) bool {
		return client.IsEnabled("checkout", unleash.WithContext(user))
	}
	harness.Run(harness.Version("github.com/Unleash/unleash-client-go/v4"),
		func(id string) bool { return evaluate(prepare(id)) }, prepare, evaluate)
}
