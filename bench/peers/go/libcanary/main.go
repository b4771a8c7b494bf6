// SPDX-License-Identifier: MIT

// libcanary from Go without the bindings, and the floors under it: PEER_WHAT is `cgo`, a plain cgo
// call that passes pointer and length; `empty`, a cgo call of the same shape that does nothing; or
// `sha256`, the rule in three lines of Go, which follows no rollout.
package main

/*
#cgo noescape canary_should_use_new_n
#cgo nocallback canary_should_use_new_n
#cgo noescape nothing
#cgo nocallback nothing
#include <canary/canary.h>
#include <stdlib.h>

// Not inlined and not static: C's side of an empty call is a call as well.
int nothing(canary_ctx *ctx, const void *id, uint64_t size);
__attribute__((noinline)) int nothing(canary_ctx *ctx, const void *id, uint64_t size) {
    (void)id;
    return ctx == NULL && size == 0;
}
*/
import "C"

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"unsafe"

	"harness"
)

func main() {
	path := C.CString(os.Getenv("PEER_STORE"))
	name := C.CString("checkout")
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(name))
	var ctx *C.canary_ctx
	if C.canary_open(path, name, nil, &ctx, nil) != 0 {
		panic("cannot open " + os.Getenv("PEER_STORE"))
	}
	version := C.GoString(C.canary_version())
	run := func(decide func(string) bool) {
		harness.Run[string](version, decide, nil, nil)
	}
	switch os.Getenv("PEER_WHAT") {
	case "empty":
		run(func(id string) bool {
			return C.nothing(ctx, unsafe.Pointer(unsafe.StringData(id)), C.uint64_t(len(id))) != 0
		})
	case "sha256":
		run(func(id string) bool {
			sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(id), len(id)))
			return binary.BigEndian.Uint32(sum[:])%100 < 25
		})
	default:
		run(func(id string) bool {
			return C.canary_should_use_new_n(ctx, unsafe.Pointer(unsafe.StringData(id)),
				C.uint64_t(len(id))) != 0
		})
	}
}
