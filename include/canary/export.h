/* SPDX-License-Identifier: MIT */
/* Linkage of the public symbols. Included by every public header; not meant to be included alone.
 */
#ifndef CANARY_EXPORT_H
#define CANARY_EXPORT_H

#include <stdint.h>

/* The library is built with hidden visibility; what carries this mark is the whole ABI. */
#if defined(__GNUC__)
#define CANARY_API __attribute__((visibility("default")))
#else
#define CANARY_API
#endif

#ifdef __cplusplus
#define CANARY_BEGIN_DECLS extern "C" {
#define CANARY_END_DECLS }
#else
#define CANARY_BEGIN_DECLS
#define CANARY_END_DECLS
#endif

#endif
