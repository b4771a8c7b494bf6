/* SPDX-License-Identifier: MIT */
#include "base/fork.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/page.h"

/* The lock lives in a page that a child finds zeroed, which is an unlocked mutex on every libc that
 * has the wipe: a child of a raw clone(), where no handler runs, must not find it taken. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t *list_lock;
static int setup_error;
static struct canary__fork_member *members;

static void prepare(void) {
    pthread_mutex_lock(list_lock);
    for (int patient = 1; patient >= 0; patient--) {
        for (struct canary__fork_member *m = members; m != NULL; m = m->next) {
            if (m->patient == patient) {
                m->prepare(m);
            }
        }
    }
}

static void parent(void) {
    for (struct canary__fork_member *m = members; m != NULL; m = m->next) {
        m->parent(m);
    }
    pthread_mutex_unlock(list_lock);
}

static void child(void) {
    pthread_mutex_init(list_lock, NULL);
    for (struct canary__fork_member *m = members; m != NULL; m = m->next) {
        m->child(m);
    }
}

static void setup(void) {
    list_lock = canary__page_new(sizeof *list_lock);
    if (list_lock == NULL) {
        setup_error = ENOMEM;
        return;
    }
    pthread_mutex_init(list_lock, NULL);
    setup_error = pthread_atfork(prepare, parent, child);
}

int canary__fork_join(struct canary__fork_member *member, canary_error *error) {
    pthread_once(&once, setup);
    if (setup_error != 0) {
        return canary__fail(error, CANARY_E_SYSTEM, setup_error,
                            "fork handlers could not be installed (errno %d)", setup_error);
    }
    pthread_mutex_lock(list_lock);
    member->previous = NULL;
    member->next = members;
    if (members != NULL) {
        members->previous = member;
    }
    members = member;
    pthread_mutex_unlock(list_lock);
    return CANARY_OK;
}

void canary__fork_leave(struct canary__fork_member *member) {
    pthread_mutex_lock(list_lock);
    if (member->previous != NULL) {
        member->previous->next = member->next;
    } else {
        members = member->next;
    }
    if (member->next != NULL) {
        member->next->previous = member->previous;
    }
    pthread_mutex_unlock(list_lock);
}

void canary__fork_patient(struct canary__fork_member *member) {
    pthread_mutex_lock(list_lock);
    member->patient = 1;
    pthread_mutex_unlock(list_lock);
}
