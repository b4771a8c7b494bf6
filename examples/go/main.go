// SPDX-License-Identifier: MIT

// A web service with two ways to check out. It follows the rollout while it serves: an operator's
// rollback sends the next request of everybody to the old one. What each cohort lives through is
// recorded, for `canaryctl metrics` and for Prometheus.
//
//	go run . -db canary.db -listen 127.0.0.1:8080
//	curl -H 'X-User: alice' http://127.0.0.1:8080/checkout
//	canaryctl --db canary.db metrics
//	curl http://127.0.0.1:8080/metrics
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"libcanary.example/canary"
	"libcanary.example/canary/httpmw"
)

func main() {
	database := flag.String("db", "canary.db", "store of the rollout")
	name := flag.String("rollout", "checkout", "rollout to follow")
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *database, *name, *listen); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, database, name, listen string) error {
	// Without a store the service serves all the same: a nil rollout decides "old".
	rollout, err := canary.Open(ctx, database, name, &canary.Options{Logger: slog.Default()})
	if err != nil {
		slog.Error("everybody gets the old path", "error", err)
	}
	defer rollout.Close()
	err = rollout.Declare(canary.Metric{Name: "total", Kind: canary.KindValue, Unit: "eur", Maximum: 1e6})
	if err != nil {
		slog.Error("totals are not recorded", "error", err)
	}

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("serving on http://%s\n", listener.Addr())
	server := &http.Server{Handler: routes(rollout, name), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err = <-served:
		return err
	case <-ctx.Done():
	}
	// The requests in progress still decide and are recorded: the rollout is closed after them, by the
	// defer above, and that merges what was recorded since the last tick.
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err = server.Shutdown(last); errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func routes(rollout *canary.Rollout, name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkout", func(w http.ResponseWriter, r *http.Request) {
		total := 42.0
		if httpmw.ShouldUseNew(r.Context(), name) {
			total = 39.9
			fmt.Fprintln(w, "new checkout")
		} else {
			fmt.Fprintln(w, "old checkout")
		}
		httpmw.Request(r.Context(), name).Measure(canary.Number("total", total))
	})
	mux.Handle("GET /metrics", httpmw.Metrics(rollout.Store()))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		info, err := rollout.Info(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"effective": info.Effective.Percent(),
			"revision":  info.Revision,
			"age":       info.Age.Seconds(),
			"doubts":    info.Doubts.String(),
		})
	})
	return httpmw.New(rollout,
		func(r *http.Request) string { return r.Header.Get("X-User") },
		httpmw.RecordOnly(func(r *http.Request) bool { return r.URL.Path == "/checkout" }))(mux)
}
