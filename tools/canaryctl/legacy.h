/* SPDX-License-Identifier: MIT */
/* Older spellings of commands, which operators have in their fingers. */
#ifndef CTL_LEGACY_H
#define CTL_LEGACY_H

#include "options.h"

/* Turns --status, --stage N --admin WHO and their like into commands and options of today. Returns
 * 0, or the exit code after an error was told. */
int legacy_rewrite(struct options *options);

#endif
