/* SPDX-License-Identifier: MIT */
/* The version of the headers, and of the library that is really loaded. */
#ifndef CANARY_VERSION_H
#define CANARY_VERSION_H

#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_VERSION_MAJOR 0
#define CANARY_VERSION_MINOR 1
#define CANARY_VERSION_PATCH 0
#define CANARY_VERSION "0.1.0"

/* The loaded library's version as text, for example "0.1.0". The string is static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_version(void);

/* The loaded library's version as major * 1000000 + minor * 1000 + patch.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API int canary_version_number(void);

CANARY_END_DECLS

#endif
