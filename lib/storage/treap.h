/* SPDX-License-Identifier: MIT */
/* A treap of rows: a search tree by key that random priorities keep flat. It allocates nothing. */
#ifndef CANARY__TREAP_H
#define CANARY__TREAP_H

#include <canary/storage.h>

#include <stddef.h>

struct canary__node {
    struct canary__node *left;
    struct canary__node *right;
    uint64_t priority;
    size_t size; /* of the whole allocation */
    canary_storage_value values[];
};

/* Key order: integers by value, text and blobs by memcmp, shorter first. */
int canary__treap_compare(const canary_storage_value *left, const canary_storage_value *right);
int canary__treap_compare_key(const canary_storage_value *left, const canary_storage_value *right,
                              uint32_t count);
/* Where the node with this key is, or would be. */
struct canary__node **canary__treap_find(struct canary__node **place,
                                         const canary_storage_value *key, uint32_t keys);
/* The key must not be there. */
void canary__treap_insert(struct canary__node **place, struct canary__node *node, uint32_t keys);
void canary__treap_take_out(struct canary__node **place);
/* Puts `node` where another with the same key is. */
void canary__treap_exchange(struct canary__node **place, struct canary__node *node);

#endif
