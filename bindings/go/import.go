// SPDX-License-Identifier: MIT

//go:build cgo

package canary

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// An ImportRow has figures that were computed elsewhere, for one metric and cohort. Fields that the
// kind does not use must be zero.
type ImportRow struct {
	New      bool   // which cohort
	Kind     Kind   // 0 = the metric's, which must be known; KindDuration when Duration is given
	Metric   string // "error", "timeout" and "duration" are the built-in ones
	Declare  bool   // a metric that is not known yet is declared by this row
	Unit     string // for declaring
	At       time.Time
	N, K     uint64        // proportion: how many, of how many; value, score, duration: N is 1, or 0 which means 1
	Value    float64       // value, score: the number
	Duration time.Duration // duration
	TP, FP   uint64        // classification
	FN, TN   uint64
	// For declaring: as in [Metric].
	Minimum, Maximum, Resolution float64
}

// Imported is what became of a delivery.
type Imported struct {
	Repeated bool    // the same delivery was merged before, and nothing was merged now
	Declared int     // rows that declared their metric
	Refused  []error // by row: nil when it was merged, else an *Error that says what is allowed
}

// OK is true when every row was taken.
func (i Imported) OK() bool {
	for _, refused := range i.Refused {
		if refused != nil {
			return false
		}
	}
	return true
}

// Import merges figures that were computed elsewhere, in one transaction, under key: a name of this
// delivery, 1 to 128 of [A-Za-z0-9._:-]. Rows that are not allowed are refused one by one, and the
// others merged. The same delivery again merges nothing; another one under the same key is
// [ErrConflict]. With key "" the caller takes care of repetition. The figures belong to the rollout's
// present generation. Their time is now where At is zero.
func (s *Store) Import(ctx context.Context, rollout, key string, rows []ImportRow) (Imported, error) {
	if err := checkText("import", rollout, rollout, key); err != nil {
		return Imported{}, err
	}
	if len(rows) > C.CANARY_IMPORT_ROWS_MAX {
		return Imported{}, &Error{Op: "import", Name: rollout, Code: ErrInvalid,
			Message: "there are more than 100000 rows"}
	}
	// What cannot even be told to the library; such a row is told without its metric, and refused.
	untold := map[int]error{}
	for i := range rows {
		if err := rows[i].check(rollout); err != nil {
			untold[i] = err
		}
	}
	rows = append([]ImportRow(nil), rows...) // the caller may go on before the call does
	result := make(chan Imported, 1)
	err := s.do(ctx, measuring, "import", rollout, func(c *C.canary_store, e *C.canary_error) C.int {
		var values cCall
		defer values.release()
		words := map[string]*C.char{"": nil}
		word := func(text string) *C.char {
			known, ok := words[text]
			if !ok {
				known = values.exactly(text)
				words[text] = known
			}
			return known
		}
		count := len(rows)
		list := (*C.canary_import_row)(values.array(max(1, count), C.sizeof_canary_import_row))
		told := (*C.canary_import_result)(values.array(max(1, count), C.sizeof_canary_import_result))
		for i := range rows {
			row := rows[i]
			if untold[i] != nil {
				row = ImportRow{}
			}
			unsafe.Slice(list, count)[i] = row.c(word)
		}
		var repeated C.int32_t
		code := C.canary_import(c, values.exactly(rollout), values.text(key), list, C.uint64_t(count),
			told, &repeated, e)
		if code == C.CANARY_OK {
			out := Imported{Repeated: repeated != 0, Refused: make([]error, count)}
			for i, became := range unsafe.Slice(told, count) {
				if untold[i] != nil {
					out.Refused[i] = untold[i]
				} else if became.code != C.CANARY_OK {
					out.Refused[i] = &Error{Op: "import", Name: rollout, Code: Code(became.code),
						Message: text(became.message[:])}
				}
				out.Declared += int(became.declared)
			}
			result <- out
		}
		return code
	})
	if err != nil {
		return Imported{}, err
	}
	return <-result, nil
}

func (row *ImportRow) check(rollout string) error {
	if err := checkText("import", rollout, row.Metric, row.Unit); err != nil {
		return err
	}
	fail := func(message string) error {
		return &Error{Op: "import", Name: rollout, Code: ErrInvalid, Message: message}
	}
	if int(C.int32_t(row.Kind)) != int(row.Kind) {
		return fail("there is no such kind")
	}
	if row.Duration != 0 && (row.Value != 0 || row.Kind != 0 && row.Kind != KindDuration) {
		return fail("a row with a duration has no value, and is of the kind duration")
	}
	if row.Value != 0 && row.Kind == KindDuration {
		return fail("a duration is given as Duration, not as Value")
	}
	if !row.At.IsZero() {
		if _, ok := nanosecondsOf(row.At); !ok {
			return fail("the time " + row.At.String() + " is not between 1970 and 2262")
		}
	}
	return nil
}

func (row *ImportRow) c(word func(string) *C.char) C.canary_import_row {
	out := C.canary_import_row{
		size: C.sizeof_canary_import_row, cohort: C.int32_t(cohortOf(row.New)), kind: C.int32_t(row.Kind),
		metric: word(row.Metric), unit: word(row.Unit), n: C.uint64_t(row.N), k: C.uint64_t(row.K),
		value: C.double(row.Value), tp: C.uint64_t(row.TP), fp: C.uint64_t(row.FP),
		fn: C.uint64_t(row.FN), tn: C.uint64_t(row.TN), minimum: C.double(row.Minimum),
		maximum: C.double(row.Maximum), resolution: C.double(row.Resolution),
	}
	if row.Declare {
		out.declare = 1
	}
	if row.Duration != 0 {
		out.kind, out.value = C.CANARY_METRIC_DURATION, C.double(row.Duration)
	}
	if !row.At.IsZero() {
		out.at_ns, _ = nanosecondsOf(row.At)
	}
	return out
}

// A Baseline is what the old cohort lived through, frozen.
type Baseline struct {
	Hours      int // of the week that have figures, of 168
	CapturedAt time.Time
	From, To   time.Time
	Outcomes   uint64 // of the old cohort in that time, recorded by processes
	By, Note   string
}

func baselineOf(b *C.canary_baseline_info) Baseline {
	return Baseline{
		Hours:      int(b.hours),
		CapturedAt: at(b.captured_at_ns),
		From:       at(b.from_ns),
		To:         at(b.to_ns),
		Outcomes:   uint64(b.outcomes),
		By:         text(b.by[:]),
		Note:       text(b.note[:]),
	}
}

// BaselineCapture freezes what the old cohort lived through from a time (zero = the oldest) until
// another (zero = now), by hour of the week, in place of an earlier baseline of the rollout. Of the
// options [By], [Note] and [DryRun] count. [ErrRefused] when the old cohort has no figures then.
func (s *Store) BaselineCapture(ctx context.Context, rollout string, from, to time.Time,
	options ...ChangeOption) (Baseline, error) {
	wanted := changeOptions{}
	for _, option := range options {
		option(&wanted)
	}
	if err := checkText("capture baseline", rollout, rollout, wanted.by, wanted.note); err != nil {
		return Baseline{}, err
	}
	asked, err := (&Query{From: from, To: to}).c(s, "capture baseline", rollout)
	if err != nil {
		return Baseline{}, err
	}
	return s.baseline(ctx, "capture baseline", rollout, func(c *C.canary_store, v *cCall,
		out *C.canary_baseline_info) C.int {
		var cOptions C.canary_change_options
		C.canary_change_options_init(&cOptions, C.uint32_t(C.sizeof_canary_change_options))
		cOptions.flags = wanted.flags
		cOptions.by, cOptions.note = v.text(wanted.by), v.text(wanted.note)
		return C.canary_baseline_capture(c, v.name, asked.from_ns, asked.to_ns, &cOptions, out, v.error)
	})
}

// BaselineRead tells about the baseline of a rollout; its figures come from Metrics, with
// Query.Baseline, as those of the old cohort. [ErrNotFound] when there is none.
func (s *Store) BaselineRead(ctx context.Context, rollout string) (Baseline, error) {
	if err := checkText("read baseline", rollout, rollout); err != nil {
		return Baseline{}, err
	}
	return s.baseline(ctx, "read baseline", rollout, func(c *C.canary_store, v *cCall,
		out *C.canary_baseline_info) C.int {
		return C.canary_baseline_read(c, v.name, out, v.error)
	})
}

func (s *Store) baseline(ctx context.Context, op, rollout string,
	call func(*C.canary_store, *cCall, *C.canary_baseline_info) C.int) (Baseline, error) {
	result := make(chan Baseline, 1)
	err := s.do(ctx, measuring, op, rollout, func(c *C.canary_store, e *C.canary_error) C.int {
		values := cCall{error: e}
		defer values.release()
		values.name = values.exactly(rollout)
		out := C.canary_baseline_info{size: C.sizeof_canary_baseline_info}
		code := call(c, &values, &out)
		if code == C.CANARY_OK {
			result <- baselineOf(&out)
		}
		return code
	})
	if err != nil {
		return Baseline{}, err
	}
	return <-result, nil
}
