/* SPDX-License-Identifier: MIT */
#ifndef CANARY__ENVIRONMENT_H
#define CANARY__ENVIRONMENT_H

/* 1 when CANARY_KILL is "all" or a list (commas or blanks between) that names the rollout. */
int canary__environment_kills(const char *rollout);

#endif
