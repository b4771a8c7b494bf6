/* SPDX-License-Identifier: MIT */
/* See deliver.h: posting to webhooks, by libcurl where it was there when this was built. */
#include "deliver.h"

#include "percent.h"
#include "say.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a message Slack takes three characters for its own. */
static json_t *slack_text(const char *plain) {
    struct text out = { 0 };
    for (; *plain != '\0'; plain++) {
        switch (*plain) {
        case '&':
            text_add(&out, "&amp;");
            break;
        case '<':
            text_add(&out, "&lt;");
            break;
        case '>':
            text_add(&out, "&gt;");
            break;
        default:
            text_bytes(&out, plain, 1);
            break;
        }
    }
    text_add(&out, "");
    json_t *made = json_string(out.data);
    text_free(&out);
    return made;
}

static void add_field(json_t *fields, const char *title, const char *value) {
    json_t *field = json_object();
    json_object_set_new(field, "title", json_string(title));
    json_object_set_new(field, "value", slack_text(value));
    json_object_set_new(field, "short", json_true());
    json_array_append_new(fields, field);
}

json_t *deliver_body(const struct event *event) {
    struct text sentence = { 0 };
    char text[64];
    char percent[PERCENT_SIZE];
    json_t *fields = json_array();
    json_t *attachment = json_object();
    json_t *metadata = json_object();
    json_t *body = json_object();

    event_sentence(event, &sentence);
    percent_format(event->percentage_bp, percent);
    snprintf(text, sizeof(text), "%s %%", percent);
    add_field(fields, "Exposure", text);
    snprintf(text, sizeof(text), "%" PRId32, event->stage);
    add_field(fields, "Stage", text);
    json_object_set_new(attachment, "color",
                        json_string(event->percentage_bp < event->from_bp ? "danger" : "good"));
    json_object_set_new(attachment, "fallback", slack_text(sentence.data));
    json_object_set_new(attachment, "fields", fields);
    json_object_set_new(attachment, "ts", json_integer(event->at_ns / WHEN_SECOND));
    json_object_set_new(metadata, "event_type", json_string("canary_change"));
    json_object_set_new(metadata, "event_payload", event_json(event));
    json_object_set_new(body, "text", slack_text(sentence.data));
    json_object_set_new(body, "attachments", json_pack("[o]", attachment));
    json_object_set_new(body, "metadata", metadata);
    text_free(&sentence);
    return body;
}

#ifdef CTL_WITH_CURL

#include <curl/curl.h>

#define TIMEOUT_MS 10000L

bool deliver_can_post(void) {
    return true;
}

const char *deliver_check_url(const char *url) {
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return "allowed are addresses that begin with https:// or http://";
    CURLU *parsed = curl_url();
    bool good = parsed == NULL || curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl_url_cleanup(parsed);
    return good ? NULL : "this is no address; it takes https://HOST/PATH";
}

static size_t ignore(char *data, size_t size, size_t count, void *unused) {
    (void)data;
    (void)unused;
    return size * count;
}

struct asking {
    struct screen *screen;
    bool (*is_urgent)(void *user_data);
    void *user_data;
    bool urgent;
};

/* libcurl asks this often: a signal, or something urgent, ends a post that hangs. */
static int stopped(void *user_data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    struct asking *asking = user_data;
    (void)a, (void)b, (void)c, (void)d;
    if (screen_wait(asking->screen, 0))
        return 1;
    asking->urgent = asking->is_urgent(asking->user_data);
    return asking->urgent ? 1 : 0;
}

static struct curl_slist *headers_of(const char *key) {
    char line[256];
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(line, sizeof(line), "Idempotency-Key: %s", key);
    struct curl_slist *longer = curl_slist_append(list, line);
    return longer != NULL ? longer : list;
}

/* What is worth another try: no answer, "too many", and trouble on the other side. */
static bool may_pass(CURLcode code, long status) {
    if (code != CURLE_OK)
        return code != CURLE_UNSUPPORTED_PROTOCOL && code != CURLE_URL_MALFORMAT &&
               code != CURLE_PEER_FAILED_VERIFICATION;
    return status == 408 || status == 429 || status >= 500;
}

static CURLcode post(CURL *curl, const char *url, const char *body, struct curl_slist *headers,
                     struct asking *asking, long *status) {
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "canaryctl");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stopped);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, asking);
    CURLcode code = curl_easy_perform(curl);
    *status = 0;
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return code;
}

static void say_trouble(CURLcode code, long status, const char *attempt) {
    if (code != CURLE_OK)
        say_warning("--webhook: attempt %s: %s", attempt, curl_easy_strerror(code));
    else
        say_warning("--webhook: attempt %s: it answered %ld", attempt, status);
}

enum delivery deliver_post(const char *url, const char *body, const char *key, const char *attempt,
                           struct screen *screen, bool (*is_urgent)(void *), void *user_data) {
    struct asking asking = { .screen = screen, .is_urgent = is_urgent, .user_data = user_data };
    struct curl_slist *headers = headers_of(key);
    CURL *curl = curl_easy_init();
    enum delivery delivery = DELIVERY_LATER;
    long status = 0;
    CURLcode code =
        curl != NULL ? post(curl, url, body, headers, &asking, &status) : CURLE_FAILED_INIT;
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        delivery = asking.urgent ? DELIVERY_LEFT : DELIVERY_STOPPED;
    } else if (code == CURLE_OK && status >= 200 && status < 300) {
        delivery = DELIVERY_DONE;
    } else {
        say_trouble(code, status, attempt);
        if (!may_pass(code, status))
            delivery = DELIVERY_FAILED;
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return delivery;
}

#else

bool deliver_can_post(void) {
    return false;
}

const char *deliver_check_url(const char *url) {
    (void)url;
    return "this canaryctl was built without libcurl";
}

enum delivery deliver_post(const char *url, const char *body, const char *key, const char *attempt,
                           struct screen *screen, bool (*is_urgent)(void *), void *user_data) {
    (void)url, (void)body, (void)key, (void)attempt, (void)screen, (void)is_urgent, (void)user_data;
    return DELIVERY_FAILED;
}

#endif
