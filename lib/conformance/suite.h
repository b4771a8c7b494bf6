/* SPDX-License-Identifier: MIT */
/* The conformance suite, as its files see each other. A check returns 1 when it passed; helpers
 * return 1 when they did, and have said why not. What a check leaves open is closed behind it. */
#ifndef CANARY__SUITE_H
#define CANARY__SUITE_H

#include <canary/canary.h>
#include <canary/conformance.h>
#include <canary/storage.h>

#include <stddef.h>

enum {
    CANARY__SUITE_HANDLES = 4,
    CANARY__SUITE_TABLES = 9,   /* of decisions or of measurements, at most */
    CANARY__SUITE_SECRET = 32,  /* bytes */
    CANARY__SUITE_SKIPPED = -1, /* what a check returns that does not apply */
};

struct canary__suite_handle {
    canary_storage_methods methods; /* absent members are NULL */
    void *store;
    void *transaction; /* or NULL */
    int open;
    /* Of measurements: the store that they are beside, unless it is closed already. */
    canary_storage_methods beside;
    void *beside_store;
};

/* What is checked: the tables of decisions, or those of measurements. */
struct canary__suite_tables {
    int first;
    int last;
    int numbers;        /* its key is a text; the checks keep numbers there, */
    const char *number; /* in this column */
    int rows;           /* its last key column is an integer; rows of no meaning go there */
};

struct canary__suite {
    canary_conformance config;
    const struct canary__suite_tables *tables;
    int measurements; /* those are checked, not the decisions */
    char name[48];    /* of the running check's store */
    uint64_t random;
    canary_error error;
    struct canary__suite_handle handles[CANARY__SUITE_HANDLES];
    char detail[700];
};

/* Rows that were read, copied. `capacity` rows have room. */
struct canary__suite_list {
    int table; /* asked for */
    canary_storage_row **rows;
    size_t count;
    size_t capacity;
    size_t stop_after;   /* end the reading after so many rows; 0 = never */
    size_t after_stop;   /* rows that came all the same */
    const char *problem; /* what was wrong with a row, or NULL */
};

#define CANARY__SUITE_REQUIRE(suite, condition, ...)                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return canary__suite_fail(suite, __VA_ARGS__);                                         \
        }                                                                                          \
    } while (0)

#define CANARY__SUITE_TRY(call)                                                                    \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            return 0;                                                                              \
        }                                                                                          \
    } while (0)

/* -- suite -- */

/* Writes the detail and returns 0. */
int canary__suite_fail(struct canary__suite *suite, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t canary__suite_random(struct canary__suite *suite);
/* 0 to `bound` - 1. */
uint64_t canary__suite_below(struct canary__suite *suite, uint64_t bound);

/* -- handle -- */

int canary__suite_open(struct canary__suite *suite, int fresh, struct canary__suite_handle **out);
/* Opens the measurements of a handle on decisions, as a handle of their own; the other is taken over
 * when `owned`. Returns the code. */
int canary__suite_measure(struct canary__suite *suite, struct canary__suite_handle *decisions,
                          int create, int owned, struct canary__suite_handle **out);
void canary__suite_close(struct canary__suite_handle *handle);
void canary__suite_close_all(struct canary__suite *suite);
/* Waits while the store answers BUSY, as libcanary does. */
int canary__suite_begin(struct canary__suite *suite, struct canary__suite_handle *handle, int mode);
int canary__suite_end(struct canary__suite *suite, struct canary__suite_handle *handle, int commit);
/* Beside other processes, who may be in the way of a commit for longer than a store waits for them: then
 * `*done` is 0, and the transaction is to be made again. */
int canary__suite_commit(struct canary__suite *suite, struct canary__suite_handle *handle,
                         int *done);
int canary__suite_write(struct canary__suite *suite, struct canary__suite_handle *handle,
                        const canary_storage_row *row);
/* Writes and frees the row. */
int canary__suite_put(struct canary__suite *suite, struct canary__suite_handle *handle,
                      canary_storage_row *row);
int canary__suite_remove(struct canary__suite *suite, struct canary__suite_handle *handle,
                         const canary_storage_row *row);
/* `range` NULL reads all. The list is cleared first. */
int canary__suite_read(struct canary__suite *suite, struct canary__suite_handle *handle, int table,
                       const canary_storage_range *range, struct canary__suite_list *list);
/* Reads the row with the key of `wanted` and compares it. */
int canary__suite_holds(struct canary__suite *suite, struct canary__suite_handle *handle,
                        const canary_storage_row *wanted, const char *when);
/* A transaction of its own in which `table` has `count` rows. */
int canary__suite_counts(struct canary__suite *suite, struct canary__suite_handle *handle,
                         int table, size_t count, const char *when);
/* `code` came back from a call and should be `wanted`, explained in the error structure. */
int canary__suite_refused(struct canary__suite *suite, int code, int wanted, const char *call);

/* -- row -- */

/* A row with this key (each table takes what it has of it) and random values that libcanary could
 * store. One allocation, for free(). */
canary_storage_row *canary__suite_row_new(struct canary__suite *suite, int table, const char *name,
                                          int64_t number, const void *id, size_t id_size);
canary_storage_row *canary__suite_row_clone(const canary_storage_row *row);
/* The same in the table of numbers. */
canary_storage_row *canary__suite_row_number(struct canary__suite *suite, const char *name,
                                             int64_t number);
/* The value of a column, to be changed; the row does not own what it points to then. */
canary_storage_value *canary__suite_row_value(canary_storage_row *row, const char *column);
int canary__suite_row_equal(const canary_storage_row *left, const canary_storage_row *right);
/* Key order: integers by value, text and blobs by memcmp, shorter first. */
int canary__suite_row_compare(const canary_storage_row *left, const canary_storage_row *right);
/* What is wrong with a row that a store gave, or NULL. */
const char *canary__suite_row_problem(const canary_storage_row *row, int table);
void canary__suite_list_clear(struct canary__suite_list *list);
int canary__suite_list_sink(void *list, const canary_storage_row *row);

/* -- checks -- */

int canary__suite_check_methods(struct canary__suite *suite);
int canary__suite_check_empty(struct canary__suite *suite);
int canary__suite_check_round_trip(struct canary__suite *suite);
int canary__suite_check_blobs(struct canary__suite *suite);
int canary__suite_check_texts(struct canary__suite *suite);
int canary__suite_check_integers(struct canary__suite *suite);
int canary__suite_check_replace(struct canary__suite *suite);
int canary__suite_check_remove(struct canary__suite *suite);
int canary__suite_check_append_only(struct canary__suite *suite);

int canary__suite_check_text_order(struct canary__suite *suite);
int canary__suite_check_blob_order(struct canary__suite *suite);
int canary__suite_check_integer_order(struct canary__suite *suite);
int canary__suite_check_ranges(struct canary__suite *suite);
int canary__suite_check_early_end(struct canary__suite *suite);
int canary__suite_check_large(struct canary__suite *suite);

int canary__suite_check_own_reads(struct canary__suite *suite);
int canary__suite_check_rollback(struct canary__suite *suite);
int canary__suite_check_persistence(struct canary__suite *suite);
int canary__suite_check_isolation(struct canary__suite *suite);
int canary__suite_check_exclusion(struct canary__suite *suite);
int canary__suite_check_random(struct canary__suite *suite);

int canary__suite_check_token(struct canary__suite *suite);
int canary__suite_check_token_of_others(struct canary__suite *suite);
int canary__suite_check_before_fork(struct canary__suite *suite);
int canary__suite_check_doorbell(struct canary__suite *suite);
int canary__suite_check_integrity(struct canary__suite *suite);
int canary__suite_check_wait(struct canary__suite *suite);
int canary__suite_check_secret(struct canary__suite *suite);
int canary__suite_check_secret_of_others(struct canary__suite *suite);

int canary__suite_check_two_writers(struct canary__suite *suite);
int canary__suite_check_one_state(struct canary__suite *suite);
int canary__suite_check_unfinished(struct canary__suite *suite);
int canary__suite_check_crash(struct canary__suite *suite);

int canary__suite_check_library(struct canary__suite *suite);

int canary__suite_check_making(struct canary__suite *suite);
int canary__suite_check_sharing(struct canary__suite *suite);
int canary__suite_check_apart(struct canary__suite *suite);

#endif
