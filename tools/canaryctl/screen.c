/* SPDX-License-Identifier: MIT */
/* See screen.h. */
#include "screen.h"

#include "say.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* Rows of the terminal that a line takes, its escape sequences left out. */
static size_t rows_of(const char *line, size_t size, size_t columns) {
    size_t width = 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] == '\033') {
            while (i + 1 < size && line[i] != 'm')
                i++;
        } else {
            width += ((unsigned char)line[i] & 0xc0) != 0x80;
        }
    }
    return width == 0 ? 1 : (width + columns - 1) / columns;
}

size_t screen_rows(const struct text *picture) {
    size_t columns = (size_t)(say_columns() > 0 ? say_columns() : 80);
    size_t rows = 0;
    for (size_t at = 0; at < picture->size;) {
        const char *end = memchr(picture->data + at, '\n', picture->size - at);
        size_t size = end != NULL ? (size_t)(end - picture->data) - at : picture->size - at;
        rows += rows_of(picture->data + at, size, columns);
        at += size + 1;
    }
    return rows;
}

size_t screen_height(void) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    return known ? size.ws_row : 24;
}

void screen_draw(struct text *picture) {
    struct text out = { 0 };
    size_t columns = (size_t)(say_columns() > 0 ? say_columns() : 80);
    bool cut = screen_rows(picture) >= screen_height();
    size_t left =
        screen_height() - 1;  /* the last row stays free: the end of a line there scrolls */
    text_add(&out, "\033[H"); /* to the top, without clearing: nothing flickers */
    for (size_t at = 0; at < picture->size;) {
        const char *end = memchr(picture->data + at, '\n', picture->size - at);
        size_t size = end != NULL ? (size_t)(end - picture->data) - at : picture->size - at;
        size_t rows = rows_of(picture->data + at, size, columns);
        if (cut && rows + 1 > left)
            break;
        left -= rows < left ? rows : left;
        text_bytes(&out, picture->data + at, size);
        text_add(&out, "\033[K\n"); /* each line ends its rest */
        at += size + 1;
    }
    if (cut)
        text_addf(&out, "%s(more in a larger window)%s\033[K", say_begin(SAY_DIM), say_end());
    text_add(&out, "\033[J"); /* and the end of the picture what was below it */
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
