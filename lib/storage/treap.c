/* SPDX-License-Identifier: MIT */
#include "storage/treap.h"

#include <string.h>

int canary__treap_compare(const canary_storage_value *left, const canary_storage_value *right) {
    uint64_t common = left->size < right->size ? left->size : right->size;
    int order;

    if (left->type == CANARY_VALUE_INTEGER) {
        return left->integer < right->integer ? -1 : left->integer > right->integer;
    }
    order = common == 0 ? 0 : memcmp(left->data, right->data, (size_t)common);
    if (order != 0) {
        return order;
    }
    return left->size < right->size ? -1 : left->size > right->size;
}

int canary__treap_compare_key(const canary_storage_value *left, const canary_storage_value *right,
                              uint32_t count) {
    int order = 0;

    for (uint32_t i = 0; i < count && order == 0; i++) {
        order = canary__treap_compare(&left[i], &right[i]);
    }
    return order;
}

struct canary__node **canary__treap_find(struct canary__node **place,
                                         const canary_storage_value *key, uint32_t keys) {
    while (*place != NULL) {
        int order = canary__treap_compare_key(key, (*place)->values, keys);

        if (order == 0) {
            break;
        }
        place = order < 0 ? &(*place)->left : &(*place)->right;
    }
    return place;
}

void canary__treap_insert(struct canary__node **place, struct canary__node *node, uint32_t keys) {
    struct canary__node **below = &node->left;
    struct canary__node **above = &node->right;
    struct canary__node *rest;

    while (*place != NULL && (*place)->priority >= node->priority) {
        place = canary__treap_compare_key(node->values, (*place)->values, keys) < 0
                    ? &(*place)->left
                    : &(*place)->right;
    }
    rest = *place;
    *place = node;
    while (rest != NULL) {
        if (canary__treap_compare_key(rest->values, node->values, keys) < 0) {
            *below = rest;
            below = &rest->right;
            rest = rest->right;
        } else {
            *above = rest;
            above = &rest->left;
            rest = rest->left;
        }
    }
    *below = NULL;
    *above = NULL;
}

void canary__treap_take_out(struct canary__node **place) {
    struct canary__node *left = (*place)->left;
    struct canary__node *right = (*place)->right;

    while (left != NULL && right != NULL) {
        if (left->priority >= right->priority) {
            *place = left;
            place = &left->right;
            left = left->right;
        } else {
            *place = right;
            place = &right->left;
            right = right->left;
        }
    }
    *place = left != NULL ? left : right;
}

void canary__treap_exchange(struct canary__node **place, struct canary__node *node) {
    node->left = (*place)->left;
    node->right = (*place)->right;
    node->priority = (*place)->priority;
    *place = node;
}
