/* SPDX-License-Identifier: MIT */
/* What verify and doctor share. */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

/* The word for a CANARY_FINDING_, as it stands in JSON. */
const char *verify_kind(int kind);

#endif
