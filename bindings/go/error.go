// SPDX-License-Identifier: MIT

package canary

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A Code says what kind of error it is; the numbers are those of the C library and never change.
// Codes are errors, to be asked for with [errors.Is]:
//
//	if errors.Is(err, canary.ErrConflict) {
//
// Where it fits they are those of the standard library too: ErrNoStore is [fs.ErrNotExist],
// ErrPermission and ErrReadOnly are [fs.ErrPermission], ErrExists is [fs.ErrExist], ErrTimeout and
// ErrBusy are [os.ErrDeadlineExceeded].
type Code int

// The codes.
const (
	ErrInvalid     Code = -1  // an argument is not allowed; the message says which and why
	ErrNoMemory    Code = -2  // there was no memory
	ErrNotFound    Code = -3  // no rollout, flag, stage or override of that name
	ErrExists      Code = -4  // a rollout of that name is there already
	ErrConflict    Code = -5  // the expected revision or stage is not the present one
	ErrRefused     Code = -6  // a gate says no: last stage reached, rollback not recorded
	ErrTimeout     Code = -7  // the store did not answer before the deadline
	ErrBusy        Code = -8  // another process held the store's lock until the deadline
	ErrIO          Code = -9  // the operating system reported an input or output error
	ErrCorrupt     Code = -10 // the store's file is damaged or truncated
	ErrNotAStore   Code = -11 // the file is no database, or another application's
	ErrNewer       Code = -12 // the store was written by a newer libcanary
	ErrReadOnly    Code = -13 // the file system or the permissions allow reading only
	ErrFull        Code = -14 // no space left for the change
	ErrReplaced    Code = -15 // the store's file was moved or replaced meanwhile
	ErrNoStore     Code = -16 // there is no store at that path
	ErrPermission  Code = -17 // the process may not open the store
	ErrHostile     Code = -18 // the schema holds objects that are not libcanary's
	ErrTampered    Code = -19 // changed outside libcanary, or the trail does not verify
	ErrUnsupported Code = -20 // the store lacks the operation; unknown algorithm
	ErrSystem      Code = -21 // a system call failed; System holds errno
	ErrStorage     Code = -22 // any other failure of a store; System holds its own code
)

var codes = [...]struct{ name, text string }{
	{"CANARY_OK", "no error"},
	{"CANARY_E_INVALID", "an argument is not allowed"},
	{"CANARY_E_NOMEM", "there is no memory"},
	{"CANARY_E_NOT_FOUND", "there is no rollout, flag, stage or override of that name"},
	{"CANARY_E_EXISTS", "a rollout of that name is there already"},
	{"CANARY_E_CONFLICT", "the expected revision or stage is not the present one"},
	{"CANARY_E_REFUSED", "a gate says no"},
	{"CANARY_E_TIMEOUT", "the store did not answer in time"},
	{"CANARY_E_BUSY", "another process holds the store's lock"},
	{"CANARY_E_IO", "an input or output error"},
	{"CANARY_E_CORRUPT", "the store is damaged"},
	{"CANARY_E_NOT_A_STORE", "the file is no store"},
	{"CANARY_E_NEWER", "the store was written by a newer libcanary"},
	{"CANARY_E_READ_ONLY", "the store can be read only"},
	{"CANARY_E_FULL", "no space is left"},
	{"CANARY_E_REPLACED", "the store's file was replaced meanwhile"},
	{"CANARY_E_NO_STORE", "there is no store"},
	{"CANARY_E_PERMISSION", "the process may not open the store"},
	{"CANARY_E_HOSTILE", "the store's schema is not libcanary's"},
	{"CANARY_E_TAMPERED", "something was changed outside libcanary"},
	{"CANARY_E_UNSUPPORTED", "this is not supported"},
	{"CANARY_E_SYSTEM", "a system call failed"},
	{"CANARY_E_STORAGE", "the store failed"},
}

// Name is the code's name in the C library, for example "CANARY_E_CONFLICT".
func (c Code) Name() string {
	if c > 0 || int(-c) >= len(codes) {
		return "CANARY_E_UNKNOWN"
	}
	return codes[-c].name
}

func (c Code) Error() string {
	if c > 0 || int(-c) >= len(codes) {
		return "canary: error " + strconv.Itoa(int(c))
	}
	return "canary: " + codes[-c].text
}

// Is makes codes known to [errors.Is] by the standard library's names for them.
func (c Code) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return c == ErrNoStore
	case fs.ErrPermission:
		return c == ErrPermission || c == ErrReadOnly
	case fs.ErrExist:
		return c == ErrExists
	case os.ErrDeadlineExceeded:
		return c == ErrTimeout || c == ErrBusy
	}
	return false
}

// Timeout is true for codes that may be gone at the next attempt.
func (c Code) Timeout() bool { return c == ErrTimeout || c == ErrBusy }

// An Error is a failed call. [errors.Is] finds its Code, and errno where a system call failed;
// [errors.As] finds the Error itself.
type Error struct {
	Op       string // what was tried, for example "advance"
	Name     string // the rollout, flag or path it was tried on
	Code     Code
	System   int    // errno, or the store's own code; 0 when there is none
	InEffect bool   // a rollback that was not recorded, yet exposure is lowered
	Message  string // one line: the value, what is allowed, what next
}

func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("canary: ")
	text.WriteString(e.Op)
	if e.Name != "" {
		text.WriteByte(' ')
		text.WriteString(strconv.Quote(e.Name))
	}
	text.WriteString(": ")
	if e.Message != "" {
		text.WriteString(e.Message)
	} else {
		text.WriteString(strings.TrimPrefix(e.Code.Error(), "canary: "))
	}
	if e.InEffect {
		text.WriteString(" (exposure is lowered all the same)")
	}
	text.WriteString(" [")
	text.WriteString(e.Code.Name())
	text.WriteByte(']')
	return text.String()
}

// Unwrap gives the code and, where there is one, errno.
func (e *Error) Unwrap() []error {
	// With any other code the number may be the store's own.
	if e.Code == ErrSystem && e.System != 0 {
		return []error{e.Code, syscall.Errno(e.System)}
	}
	return []error{e.Code}
}

// Timeout is true for errors that may be gone at the next attempt.
func (e *Error) Timeout() bool { return e.Code.Timeout() }

type closedError struct{}

func (closedError) Error() string { return "canary: the handle is closed" }

func (closedError) Is(target error) bool { return target == fs.ErrClosed || target == ErrInvalid }

// ErrClosed is what calls on a closed handle return, decisions excepted, which answer "old". It is
// [fs.ErrClosed] as well.
var ErrClosed error = closedError{}

// ErrUnfinished marks the error of a call whose context ended after it had reached the store: it
// goes on behind, and a change may still be made. Without the mark nothing was changed, and nothing
// will be.
var ErrUnfinished = errors.New("canary: the call goes on, and what it changes may still be changed")
