/* SPDX-License-Identifier: MIT */
/* Error codes, and the caller-owned structure that explains one.
 *
 * A call that can fail returns 0 or one of the negative codes below. When the caller passes a
 * `canary_error`, it is filled on failure only; on success it is left as it was. There is no
 * thread-local "last error": goroutines and async tasks change threads between call and question.
 */
#ifndef CANARY_ERROR_H
#define CANARY_ERROR_H

#include <canary/export.h>

CANARY_BEGIN_DECLS

/* Pinned for ever: a number is never reused and never changes its meaning. */
#define CANARY_OK 0
#define CANARY_E_INVALID (-1)   /* an argument is not allowed; the message says which and why */
#define CANARY_E_NOMEM (-2)     /* the allocator answered NULL, or the kernel gave no pages */
#define CANARY_E_NOT_FOUND (-3) /* no rollout, flag, stage or override of that name */
#define CANARY_E_EXISTS (-4)    /* a rollout of that name is there already */
#define CANARY_E_CONFLICT (-5)  /* not the expected revision or stage, or a rollback came first */
#define CANARY_E_REFUSED (-6)   /* a gate says no: last stage reached, rollback not recorded */
#define CANARY_E_TIMEOUT (-7)   /* the store did not answer before the deadline */
#define CANARY_E_BUSY (-8)      /* another process held the store's lock until the deadline */
#define CANARY_E_IO (-9)        /* the operating system reported an input or output error */
#define CANARY_E_CORRUPT (-10)  /* the store's file is damaged or truncated */
#define CANARY_E_NOT_A_STORE (-11) /* the file is no database, or another application's */
#define CANARY_E_NEWER (-12)       /* the store was written by a newer libcanary */
#define CANARY_E_READ_ONLY (-13)   /* the file system or the permissions allow reading only */
#define CANARY_E_FULL (-14)        /* no space left for the change, or in the caller's buffer */
#define CANARY_E_REPLACED (-15)    /* the store's file was moved or replaced meanwhile */
#define CANARY_E_NO_STORE (-16)    /* there is no store at that path */
#define CANARY_E_PERMISSION (-17)  /* the process may not open the store */
#define CANARY_E_HOSTILE (-18)     /* the schema holds objects that are not libcanary's */
#define CANARY_E_TAMPERED (-19)    /* changed outside libcanary, or the trail does not verify */
#define CANARY_E_UNSUPPORTED (-20) /* the store lacks the operation; unknown algorithm */
#define CANARY_E_SYSTEM (-21)      /* a system call failed; `system` holds errno */
#define CANARY_E_STORAGE (-22)     /* any other failure of a store; `system` holds its own code */

/* What went wrong. Owned by the caller, who sets `size` (CANARY_ERROR_INIT does). */
typedef struct canary_error {
    uint32_t size;      /* sizeof(canary_error) of the caller */
    int32_t code;       /* one of the codes above; equals the value returned */
    int32_t system;     /* errno or the store's own (extended) code; 0 when there is none */
    uint32_t in_effect; /* 1: the call failed to be recorded, yet exposure is lowered (rollbacks) */
    char message[496];  /* one line, UTF-8, NUL-terminated: the value, what is allowed, what next */
} canary_error;

/* clang-format off */
#define CANARY_ERROR_INIT { (uint32_t)sizeof(canary_error), 0, 0, 0, { 0 } }
/* clang-format on */

/* Function twin of CANARY_ERROR_INIT: zeroes `size` bytes at `error` and sets its size. `size` is
 * sizeof(canary_error) as the caller knows it. NULL is allowed and does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_error_init(canary_error *error, uint32_t size);

/* The name of a code, for example "CANARY_E_CONFLICT"; "CANARY_E_UNKNOWN" for any other number.
 * The string is static. Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_error_name(int code);

/* One short sentence for a code, for people; never NULL. The string is static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_strerror(int code);

CANARY_END_DECLS

#endif
