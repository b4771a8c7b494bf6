// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"io"
	"unsafe"
)

// WriteOpenMetrics writes what this process decided and recorded, for every rollout it has open in
// this store, as OpenMetrics 1.0 text. Serve it as [OpenMetricsType]; package httpmw has a handler.
// It waits for no store, and holds nothing while w writes.
func (s *Store) WriteOpenMetrics(w io.Writer) error { return s.write(w, 0) }

// WritePrometheus writes the same in Prometheus's format from before OpenMetrics, for readers that
// ask for no other. Serve it as [PrometheusType].
func (s *Store) WritePrometheus(w io.Writer) error { return s.write(w, 1) }

// WriteOpenMetrics writes for every rollout of the store: see [Store.WriteOpenMetrics].
func (r *Rollout) WriteOpenMetrics(w io.Writer) error { return r.Store().WriteOpenMetrics(w) }

func (s *Store) write(w io.Writer, prometheus C.int) error {
	if s == nil {
		return &Error{Op: "write metrics", Code: ErrInvalid, Message: "there is no store"}
	}
	line := s.guard.enter()
	if line == nil {
		return closed("write metrics", "")
	}
	var out C.struct_bridge_text
	var cError C.canary_error
	C.canary_error_init(&cError, C.uint32_t(C.sizeof_canary_error))
	code := C.bridge_openmetrics(s.c, prometheus, &out, &cError)
	line.leave()
	defer C.free(unsafe.Pointer(out.text))
	if code != C.CANARY_OK {
		return failure("write metrics", "", &cError)
	}
	_, err := w.Write(C.GoBytes(unsafe.Pointer(out.text), C.int(out.size)))
	return err
}
