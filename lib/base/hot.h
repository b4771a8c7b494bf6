/* SPDX-License-Identifier: MIT */
#ifndef CANARY__HOT_H
#define CANARY__HOT_H

/* On the way from the bell's ring to a flipped decision. Who goes it was asleep until now, and pays for
 * each page that it touches; the linker puts these functions side by side. */
#define CANARY__HOT __attribute__((hot))

#endif
