// SPDX-License-Identifier: MIT

package httpmw

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"libcanary.example/canary"
)

// A MetricsWriter says what a process decided and recorded: a canary.Store.
type MetricsWriter interface {
	WriteOpenMetrics(io.Writer) error
	WritePrometheus(io.Writer) error
}

// Metrics is the page that Prometheus scrapes: what this process decided and recorded, for every
// rollout it has open in the store.
//
//	mux.Handle("GET /metrics", httpmw.Metrics(store))
func Metrics(from MetricsWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write, kind := from.WritePrometheus, canary.PrometheusType
		if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "application/openmetrics-text") {
			write, kind = from.WriteOpenMetrics, canary.OpenMetricsType
		}
		// Gathered first, so that half a page is never taken for one.
		var page bytes.Buffer
		if err := write(&page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(page.Bytes())
	})
}
