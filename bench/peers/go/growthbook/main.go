// SPDX-License-Identifier: MIT

// GrowthBook's SDK: features from a string, no callback, no plugin. A user is a child client; that
// is its interface.
package main

import (
	"context"
	"io"
	"log/slog"

	growthbook "github.com/growthbook/growthbook-golang"
	"harness"
)

const features = `{"checkout": {"defaultValue": false, "rules": [
	{"force": true, "coverage": 0.25, "hashAttribute": "id"}]}}`

func main() {
	background := context.Background()
	client, err := growthbook.NewClient(background,
		growthbook.WithJsonFeatures(features),
		growthbook.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		panic(err)
	}
	prepare := func(id string) *growthbook.Client {
		child, err := client.WithAttributes(growthbook.Attributes{"id": id})
		if err != nil {
			panic(err)
		}
		return child
	}
	evaluate := func(child *growthbook.Client) bool {
		return child.EvalFeature(background, "checkout").On
	}
	harness.Run(harness.Version("github.com/growthbook/growthbook-golang"),
		func(id string) bool { return evaluate(prepare(id)) }, prepare, evaluate)
}
