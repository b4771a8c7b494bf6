/* SPDX-License-Identifier: MIT */
/* What tests of policies share. */
#ifndef POLICIES_H
#define POLICIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <canary/canary.h>
#include <canary/judge.h>

#include "judge/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A rule that nothing is wrong with, and texts around one. */
#define SOUND                                                                                      \
    "{\"name\":\"sound\",\"metric\":\"error\",\"above\":\"1%\",\"window\":\"1m\",\"action\":"      \
    "\"rollback\"}"
#define TOP(keys) "{\"policy\":1,\"name\":\"test\"," keys ",\"rules\":[" SOUND "]}"
#define RULES(rules) "{\"policy\":1,\"name\":\"test\",\"rules\":[" rules "]}"
#define RULE(keys) RULES("{\"name\":\"rule\"," keys "}")

/* The problems of one reading, a line each: "place: message\n". */
struct policies_told {
    char text[65536];
    size_t size;
    uint32_t count;
    uint32_t stop_after; /* 0 = never */
};
int policies_tell(void *user_data, const char *place, const char *message);

/* Reads a text that must be sound. */
canary_policy *policies_read(const char *text);

#endif
