/* SPDX-License-Identifier: MIT */
/* A program that Prometheus scrapes: serves its metrics on a free port of 127.0.0.1, prints the port,
 * records the same things again for each line it reads, and ends with its input. */
#include <canary/canary.h>
#include <canary/observe.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void require(int code, const canary_error *error, const char *what) {
    if (code != CANARY_OK) {
        fprintf(stderr, "serve: %s: %s: %s\n", what, canary_error_name(code), error->message);
        exit(1);
    }
}

static canary_ctx *open_rollout(canary_store *store, const char *name, uint32_t percentage_bp) {
    canary_error error = CANARY_ERROR_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = name };
    canary_ctx *ctx = NULL;

    require(canary_create(store, &spec, NULL, NULL, &error), &error, "create");
    require(canary_set_percentage(store, name, percentage_bp, NULL, NULL, NULL, &error), &error,
            "set percentage");
    require(canary_open_in(store, name, NULL, &ctx, &error), &error, "open");
    return ctx;
}

static int32_t declare(canary_ctx *ctx, const char *name, int kind, const char *unit,
                       double minimum, double maximum) {
    static const int64_t thresholds[] = { 300000000, 600000000 };
    canary_error error = CANARY_ERROR_INIT;
    canary_metric metric = CANARY_METRIC_INIT;
    int32_t handle = -1;

    metric.name = name;
    metric.kind = kind;
    metric.unit = unit;
    metric.minimum = minimum;
    metric.maximum = maximum;
    if (kind == CANARY_METRIC_DURATION) {
        metric.thresholds_ns = thresholds;
        metric.threshold_count = 2;
    }
    require(canary_metric_declare(ctx, &metric, &handle, &error), &error, name);
    return handle;
}

/* Requests of both cohorts, the new one slower and with more errors. Answers are not looked at: some
 * are to be rejected. */
static void record(canary_ctx *ctx, const int32_t handles[5]) {
    for (int i = 0; i < 1000; i++) {
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        canary_measurement measurements[5] = {
            { .metric = handles[0], .value = i % 3 == 0 },
            { .metric = handles[1], .value = i * 0.01 },
            { .metric = handles[2], .value = i / 500.0 - 1.0 },
            { .metric = handles[3], .value = i * 1e6 },
            { .metric = handles[4], .tp = (uint32_t)i % 2, .fp = 1, .fn = 2, .tn = 3 },
        };
        char user[32];
        int length = snprintf(user, sizeof user, "user-%d", i);

        canary_explain(ctx, user, (uint64_t)length, &decision);
        outcome.status = i % 50 == 0                      ? CANARY_STATUS_TIMEOUT
                         : i % (20 - decision.cohort * 9) ? CANARY_STATUS_OK
                                                          : CANARY_STATUS_ERROR;
        outcome.duration_ns = i * INT64_C(777777) * (1 + decision.cohort);
        outcome.measurements = measurements;
        outcome.measurement_count = i % 10 == 0 ? 5 : 0;
        (void)canary_record(ctx, &decision, &outcome);
    }
}

static int send_all(void *user_data, const char *text, uint64_t size) {
    int fd = *(int *)user_data;

    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent <= 0) {
            return -1;
        }
        text += sent;
        size -= (uint64_t)sent;
    }
    return 0;
}

static void answer(canary_store *store, int fd) {
    static const char open[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                               "Content-Type: application/openmetrics-text; version=1.0.0; "
                               "charset=utf-8\r\n\r\n";
    static const char older[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n\r\n";
    char request[8192];
    size_t used = 0;
    ssize_t got = 1;

    while (got > 0 && used < sizeof request - 1) {
        got = recv(fd, request + used, sizeof request - 1 - used, 0);
        used += got > 0 ? (size_t)got : 0;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL) {
            if (strstr(request, "application/openmetrics-text") != NULL) {
                (void)send_all(&fd, open, sizeof open - 1);
                (void)canary_write_openmetrics(store, send_all, &fd, NULL);
            } else {
                (void)send_all(&fd, older, sizeof older - 1);
                (void)canary_write_prometheus(store, send_all, &fd, NULL);
            }
            break;
        }
    }
    close(fd);
}

static int listen_somewhere(void) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        perror("serve");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    canary_ctx *checkout;
    canary_ctx *search;
    struct pollfd waits[2];
    int32_t handles[5];

    require(canary_store_open_memory(NULL, &store, &error), &error, "store");
    checkout = open_rollout(store, "checkout", 2500);
    search = open_rollout(store, "search.v2", 0);
    canary_kill(search);
    (void)declare(checkout, "duration", CANARY_METRIC_DURATION, NULL, 0, 0);
    handles[0] = declare(checkout, "cache_hit", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    handles[1] = declare(checkout, "cost", CANARY_METRIC_VALUE, "dollars", 0, 9);
    handles[2] = declare(checkout, "quality", CANARY_METRIC_SCORE, NULL, -1, 1);
    handles[3] = declare(checkout, "backend", CANARY_METRIC_DURATION, NULL, 0, 0);
    handles[4] = declare(checkout, "f1", CANARY_METRIC_CLASSIFICATION, NULL, 0, 0);
    record(checkout, handles);
    waits[0] = (struct pollfd){ .fd = listen_somewhere(), .events = POLLIN };
    waits[1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    while (poll(waits, 2, -1) > 0) {
        if (waits[0].revents != 0) {
            int fd = accept(waits[0].fd, NULL, NULL);

            if (fd >= 0) {
                answer(store, fd);
            }
        }
        if (waits[1].revents != 0) {
            char line[16];

            if (read(STDIN_FILENO, line, sizeof line) <= 0) {
                break;
            }
            record(checkout, handles);
            puts("recorded");
            fflush(stdout);
        }
    }
    close(waits[0].fd);
    canary_close(&checkout);
    canary_close(&search);
    canary_store_close(&store);
    return 0;
}
