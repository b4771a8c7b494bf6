/* SPDX-License-Identifier: MIT */
/* Memory that runs out at a chosen allocation of the program or of jansson. To be linked with malloc(),
 * calloc(), realloc(), strdup() and json_loadb() wrapped; a libcanary that is shared has its own. */
#ifndef JUDGE_EXHAUSTED_H
#define JUDGE_EXHAUSTED_H

/* From here on the allocation number `at`, from 0, fails, and with `lastingly` all that follow. */
void exhausted_begin(long at, int lastingly);
/* From here on none does. Answers 1 when one has failed. */
int exhausted_end(void);
/* How many blocks jansson has not given back since the beginning. */
long exhausted_held(void);

/* Whether it may run out while jansson reads a text, too, or only before. */
void exhausted_within(int texts);
/* Lets jansson allocate here, or as usual. */
void exhausted_jansson(int here);

#endif
