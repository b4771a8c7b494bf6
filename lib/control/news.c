/* SPDX-License-Identifier: MIT */
#include "control/news.h"

#include <sodium/crypto_shorthash_siphash24.h>
#include <sodium/utils.h>
#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"

/* How old news may be: long against a wake on a busy machine, short for who would put back a page. */
#define FRESH_NS INT64_C(1000000000)

/* When to confirm: not while the others are still being woken, and not all at the same moment. */
#define CONFIRM_FIRST_NS INT64_C(10000000)
#define CONFIRM_SPREAD_NS INT64_C(50000000)

_Static_assert(sizeof(struct canary__news) == CANARY__BELL_NEWS, "news fills its place");

/* What the code is over. The inode keeps news of a copy of the store, whose secret is the same, from
 * being put into this one's bell. */
struct sealed {
    char tag[16];
    uint64_t device;
    uint64_t inode;
    struct canary__news news;
};

/* SipHash rather than a longer hash: whoever checks it was asleep until now, and pays for each line of
 * code that has to come into its caches. Both halves of the secret are used, so the code has 256 bits. */
static CANARY__HOT void seal(struct sealed *sealed, dev_t device, ino_t inode,
                             const uint8_t *secret, uint8_t *code) {
    _Static_assert(CANARY__SECRET == 2 * crypto_shorthash_siphashx24_KEYBYTES &&
                       sizeof sealed->news.code == 2 * crypto_shorthash_siphashx24_BYTES,
                   "one half of the code by each half of the secret");
    size_t size = offsetof(struct sealed, news) + offsetof(struct canary__news, code);

    memcpy(sealed->tag, "canary-news-1\0\0", sizeof sealed->tag);
    sealed->device = (uint64_t)device;
    sealed->inode = (uint64_t)inode;
    for (size_t half = 0; half < 2; half++) {
        crypto_shorthash_siphashx24(code + half * crypto_shorthash_siphashx24_BYTES,
                                    (const unsigned char *)sealed, size,
                                    secret + half * crypto_shorthash_siphashx24_KEYBYTES);
    }
}

/* -- writing -- */

int canary__news_describe(struct canary__news *news, const struct canary__rollout_row *before,
                          const struct canary__rollout_row *row,
                          const struct canary__change_row *head) {
    memset(news, 0, sizeof *news);
    news->stage = row->stage;
    news->percentage_bp = row->percentage_bp;
    news->id = head->public.id;
    news->revision = row->revision;
    news->made_at = head->public.at_ns;
    news->updated_at = row->updated_at;
    canary__text_copy(news->phase, sizeof news->phase, row->phase);
    canary__text_copy(news->rollout, sizeof news->rollout, row->name);
    return before->intact && row->intact &&
           canary__row_digest_parse(head->public.previous_hash, news->previous_hash) == 0 &&
           canary__row_digest_parse(head->public.hash, news->hash) == 0 &&
           canary__row_digest_parse(before->checksum, news->row_before) == 0 &&
           canary__row_digest_parse(row->checksum, news->row_after) == 0;
}

void canary__news_sign(struct canary__news *news, const struct canary__bell_ringer *ringer,
                       const uint8_t *secret) {
    struct sealed sealed;

    news->ring = ringer->ring;
    news->rung_ns = canary__store_machine_ns();
    sealed.news = *news;
    seal(&sealed, ringer->device, ringer->inode, secret, news->code);
}

void canary__news_learn(canary_store *store, void *transaction) {
    canary_error ignored = canary__fail_none;

    store->secret_known = store->methods.secret != NULL && store->bell.path != NULL &&
                          store->methods.secret(transaction, store->secret, &ignored) == CANARY_OK;
    if (!store->secret_known) {
        sodium_memzero(store->secret, sizeof store->secret);
    }
}

/* -- reading -- */

static CANARY__HOT int is_digest(const char *text, const uint8_t *digest) {
    uint8_t parsed[32];

    return canary__row_digest_parse(text, parsed) == 0 &&
           memcmp(parsed, digest, sizeof parsed) == 0;
}

static CANARY__HOT int authentic(const canary_store *store, struct sealed *sealed) {
    uint8_t code[sizeof sealed->news.code];

    seal(sealed, store->bell.device, store->bell.inode, store->secret, code);
    return sodium_memcmp(code, sealed->news.code, sizeof code) == 0;
}

static CANARY__HOT int continues(const canary_store *store, const struct canary__news *news) {
    return store->head_id != 0 && !store->trail_doubt && news->id == store->head_id + 1 &&
           is_digest(store->head_hash, news->previous_hash);
}

static CANARY__HOT int is_about(const struct canary__news *news, const struct canary__follower *f) {
    return strcmp(f->name, news->rollout) == 0;
}

static CANARY__HOT int fits(const struct canary__follower *f, const struct canary__news *news) {
    return f->loaded && f->current && f->doubt == 0 && f->good_flag >= 0 && !f->pins_unsafe &&
           (f->pins_known || f->good.overrides_new + f->good.overrides_old == 0) &&
           news->revision == f->good.revision + 1 &&
           is_digest(f->good.checksum, news->row_before) && news->percentage_bp <= CANARY_BP_MAX &&
           news->stage == canary__row_stage_of(&f->good, news->percentage_bp);
}

static void digest_text(const uint8_t *digest, char *text) {
    sodium_bin2hex(text, CANARY__DIGEST_TEXT, digest, 32);
}

/* What follow.c looks at to publish. */
static inline void take(struct canary__follower *f, const struct canary__news *news) {
    f->good.stage = news->stage;
    f->good.percentage_bp = news->percentage_bp;
    f->good.revision = news->revision;
    f->good.updated_at = news->updated_at;
    f->row_bp = news->percentage_bp;
}

static void settle(struct canary__follower *f, const struct canary__news *news) {
    canary__text_copy(f->good.phase, sizeof f->good.phase, news->phase);
    digest_text(news->row_after, f->good.checksum);
    /* Who did it and why is not told, and nobody asks before the look. */
    f->good.updated_by[0] = '\0';
    f->good.note[0] = '\0';
}

CANARY__HOT int canary__news_take(canary_store *store, uint32_t ring, int64_t now) {
    struct sealed sealed;
    const struct canary__news *news = &sealed.news;

    if (!store->news_ready || !store->secret_known || !store->image.present ||
        store->image.damaged > 0 || store->image.ring == ring) {
        return 0;
    }
    memcpy(&sealed.news, store->image.head, sizeof sealed.news);
    if (!continues(store, news) || !authentic(store, &sealed)) {
        return 0;
    }
    if (news->rung_ns > now || now - news->rung_ns > FRESH_NS ||
        news->phase[sizeof news->phase - 1] != '\0' ||
        news->rollout[sizeof news->rollout - 1] != '\0') {
        return 0;
    }
    for (const struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (is_about(news, f) && !fits(f, news)) {
            return 0;
        }
    }
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (is_about(news, f)) {
            take(f, news);
        }
    }
    return 1;
}

void canary__news_settle(canary_store *store, int64_t now) {
    struct canary__news news;

    memcpy(&news, store->image.head, sizeof news);
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (is_about(&news, f)) {
            settle(f, &news);
        }
    }
    store->head_id = news.id;
    store->head_at = news.made_at;
    digest_text(news.hash, store->head_hash);
    store->token_known = 0; /* an unmoved token would confirm what it knows nothing of */
    /* Not put off by more news: rings without pause must not keep the look away. */
    if (store->confirm_at == 0) {
        int64_t wait = CONFIRM_FIRST_NS + canary__store_some(store, CONFIRM_SPREAD_NS);

        store->confirm_at = now + (wait < store->tick_ns ? wait : store->tick_ns);
    }
}
