/* SPDX-License-Identifier: MIT */
/* A program that Prometheus can scrape. Without an argument it prints the text once; with a port (0 =
 * any free one) it serves it on 127.0.0.1 until it is stopped.
 *
 *     openmetrics [PORT]
 */
#include <canary/canary.h>
#include <canary/observe.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int print(void *user_data, const char *text, uint64_t size) {
    return fwrite(text, 1, size, user_data) == size ? 0 : -1;
}

/* What a service does with each request: decide, serve, and say how it went. */
static void serve_user(canary_ctx *rollout, const char *user) {
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    canary_explain(rollout, user, strlen(user), &decision);
    outcome.status = CANARY_STATUS_OK;
    outcome.duration_ns = decision.cohort == CANARY_NEW ? 80000000 : 120000000;
    canary_record(rollout, &decision, &outcome);
}

/* Whatever was asked for: this program has one page. Prometheus says that it reads OpenMetrics; who does
 * not say so gets the format from before. */
static void answer(canary_store *store, int connection) {
    char request[4096];
    ssize_t size = read(connection, request, sizeof request - 1);
    FILE *out = fdopen(connection, "w");

    if (out == NULL || size <= 0) {
        close(connection);
        return;
    }
    request[size] = '\0';
    fputs("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ", out);
    if (strstr(request, "application/openmetrics-text") != NULL) {
        fputs("application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\r\n", out);
        canary_write_openmetrics(store, print, out, NULL);
    } else {
        fputs("text/plain; version=0.0.4; charset=utf-8\r\n\r\n", out);
        canary_write_prometheus(store, print, out, NULL);
    }
    fclose(out);
}

static int serve(canary_store *store, const char *port) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGPIPE, SIG_IGN); /* who asks may hang up */
    address.sin_port = htons((uint16_t)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("openmetrics");
        return 1;
    }
    printf("http://127.0.0.1:%d/metrics\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);

        if (connection >= 0) {
            answer(store, connection);
        }
    }
}

int main(int argc, char **argv) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };
    canary_store *store = NULL;
    canary_ctx *rollout = NULL;
    int status;

    /* In memory, so that this runs anywhere; services open theirs with canary_open(). */
    if (canary_store_open_memory(NULL, &store, NULL) != CANARY_OK ||
        canary_create(store, &spec, NULL, NULL, NULL) != CANARY_OK ||
        canary_advance(store, "checkout", NULL, NULL, NULL) != CANARY_OK ||
        canary_open_in(store, "checkout", NULL, &rollout, NULL) != CANARY_OK) {
        return 1;
    }
    serve_user(rollout, "alice"); /* new at 5 % */
    serve_user(rollout, "robin"); /* old */
    status = argc > 1 ? serve(store, argv[1])
                      : canary_write_openmetrics(store, print, stdout, NULL) != CANARY_OK;
    canary_close(&rollout);
    canary_store_close(&store);
    return status;
}
