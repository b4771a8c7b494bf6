/* SPDX-License-Identifier: MIT */
/* A policy's text before it means anything: its size, and JSON. */
#ifndef CANARY__JUDGE_POLICY_TEXT_H
#define CANARY__JUDGE_POLICY_TEXT_H

#include "judge/policy_reading.h"

/* 1 when it may be read as JSON; else told why not. */
int canary__policy_text_fits(struct canary__policy_reading *reading, const char *text, size_t size);

/* NULL when the text is no JSON (told), or when there is no memory (not told). */
json_t *canary__policy_text_json(struct canary__policy_reading *reading, const char *text,
                                 size_t size);

#endif
