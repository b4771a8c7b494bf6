/* SPDX-License-Identifier: MIT */
/* Help texts, made from the tables. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

struct command;

/* Prints the help of every command, or of one. */
void help_all(void);
void help_one(const struct command *command);
/* Prints the help of all commands that begin with this word ("override"). */
void help_group(const char *word);

#endif
