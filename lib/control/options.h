/* SPDX-License-Identifier: MIT */
#ifndef CANARY__OPTIONS_H
#define CANARY__OPTIONS_H

#include <canary/context.h>

/* Admits the caller's options of any size; NULL gives the defaults. */
int canary__options_admit(const canary_options *from, canary_options *to, canary_error *error);

#endif
