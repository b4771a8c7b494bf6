/* SPDX-License-Identifier: MIT */
/* What tests of verdicts as JSON share: verdicts of any content, and what was written of one. */
#ifndef JUDGE_VERDICTS_H
#define JUDGE_VERDICTS_H

#include <canary/judge.h>
#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

enum { VERDICTS_RULES = 3 };

struct verdicts_text {
    char data[1 << 18];
    size_t size;
};

/* What was written last; to be emptied first. */
extern struct verdicts_text verdicts_written;
/* A canary_write_fn; `user_data` is a text. */
int verdicts_keep(void *user_data, const char *data, uint64_t size);

extern uint64_t verdicts_seed; /* odd */
/* Fills both with whatever their fields may hold. */
void verdicts_any(canary_verdict *verdict, canary_rule_result *rules);

#endif
