/* SPDX-License-Identifier: MIT */
/* The exit codes, stable for scripts, and which library error leads to which. */
#ifndef CTL_EXITS_H
#define CTL_EXITS_H

#include <stdbool.h>

#define CTL_EXIT_DONE 0
#define CTL_EXIT_ERROR 1     /* something else went wrong */
#define CTL_EXIT_USAGE 2     /* invalid arguments */
#define CTL_EXIT_STORAGE 3   /* the store cannot be read or written */
#define CTL_EXIT_REFUSED 5   /* a gate or rule says no */
#define CTL_EXIT_CONFLICT 6  /* the state is not the expected one */
#define CTL_EXIT_TIMEOUT 7   /* the store was locked until the deadline */
#define CTL_EXIT_UNHEALTHY 8 /* verify or doctor found something */

/* `evaluate --exit-code` only */
#define CTL_EXIT_HOLD 10
#define CTL_EXIT_ROLLBACK 11

/* The exit code for a CANARY_E_ code. `changing`: the command was about to change something, so
 * that state which cannot be believed refuses the change rather than being a finding. */
int exits_of(int code, bool changing);

/* One line for the exit code, for help texts; NULL for numbers that are not used. */
const char *exits_meaning(int exit_code);

#endif
