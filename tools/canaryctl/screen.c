/* SPDX-License-Identifier: MIT */
/* See screen.h. */
#include "screen.h"

#include "say.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

void screen_begin(struct screen *screen) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    screen->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void screen_show(void) {
    /* The other screen, without a cursor. */
    if (say_mode.screen)
        say_out("\033[?1049h\033[?25l\033[H\033[J", 20);
}

void screen_draw(struct text *picture) {
    struct text out = { 0 };
    text_add(&out, "\033[H"); /* to the top, without clearing: nothing flickers */
    /* Each line ends its rest, and the end of the picture what was below it. */
    for (size_t i = 0; i < picture->size; i++) {
        if (picture->data[i] == '\n')
            text_add(&out, "\033[K");
        text_bytes(&out, &picture->data[i], 1);
    }
    text_add(&out, "\033[J");
    say_text(&out);
    text_free(&out);
    text_clear(picture);
}

void screen_hide(void) {
    if (say_mode.screen)
        say_out("\033[?25h\033[?1049l", 14);
}

bool screen_wait(struct screen *screen, int milliseconds) {
    struct pollfd wait[2] = { { .fd = screen->signals, .events = POLLIN },
                              { .fd = say_mode.screen ? -1 : STDOUT_FILENO, .events = 0 } };
    poll(wait, 2, milliseconds);
    /* A reader that went away shows as an error on the pipe, long before the next write. */
    return (wait[0].revents & POLLIN) != 0 || (wait[1].revents & POLLERR) != 0;
}

void screen_end(struct screen *screen) {
    close(screen->signals);
}
