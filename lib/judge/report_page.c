/* SPDX-License-Identifier: MIT */
#include "judge/report_page.h"

#include <string.h>

void canary__page_text(struct canary__page *page, const char *text) {
    if (page->html) {
        canary__text_html(page->out, text);
    } else {
        canary__text_markdown(page->out, text);
    }
}

void canary__page_section(struct canary__page *page, const char *id, const char *title) {
    if (page->html) {
        canary__text_addf(page->out, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n", id, id);
        canary__text_addf(page->out, "<h2 id=\"%s-title\">", id);
        canary__page_text(page, title);
        canary__text_add(page->out, "</h2>\n");
    } else {
        canary__text_add(page->out, "## ");
        canary__page_text(page, title);
        canary__text_add(page->out, "\n\n");
    }
}

void canary__page_section_end(struct canary__page *page) {
    canary__text_add(page->out, page->html ? "</section>\n" : "");
}

void canary__page_paragraph(struct canary__page *page, const char *text) {
    canary__text_add(page->out, page->html ? "<p>" : "");
    canary__page_text(page, text);
    canary__text_add(page->out, page->html ? "</p>\n" : "\n\n");
}

void canary__page_note(struct canary__page *page, const char *text) {
    canary__text_add(page->out, page->html ? "<p class=\"note\">" : "");
    canary__page_text(page, text);
    canary__text_add(page->out, page->html ? "</p>\n" : "\n\n");
}

static const char *class_of(enum canary__cell kind) {
    switch (kind) {
    case CANARY__CELL_NUMBER:
        return " class=\"n\"";
    case CANARY__CELL_LONG:
        return " class=\"long\"";
    default:
        return "";
    }
}

void canary__page_table(struct canary__page *page, const char *caption,
                        const struct canary__column *columns, int count) {
    struct canary__text *out = page->out;
    int titled = 0;

    page->columns = count;
    page->cell = 0;
    if (page->html) {
        /* Who has no mouse scrolls by keys what can be focused. */
        canary__text_add(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
        canary__page_text(page, caption);
        for (int i = 0; i < count; i++) {
            titled |= columns[i].title[0] != '\0';
        }
        canary__text_add(out, titled ? "\"><table>" : "\"><table class=\"facts\">");
        canary__text_add(out, titled ? "<thead><tr>" : "");
        for (int i = 0; titled && i < count; i++) {
            canary__text_addf(out, "<th scope=\"col\"%s>", class_of(columns[i].kind));
            canary__page_text(page, columns[i].title);
            canary__text_add(out, "</th>");
        }
        canary__text_add(out, titled ? "</tr></thead><tbody>\n" : "<tbody>\n");
        return;
    }
    canary__text_add(out, "|");
    for (int i = 0; i < count; i++) {
        canary__text_add(out, " ");
        canary__page_text(page, columns[i].title);
        canary__text_add(out, " |");
    }
    canary__text_add(out, "\n|");
    for (int i = 0; i < count; i++) {
        canary__text_add(out, columns[i].kind == CANARY__CELL_NUMBER ? " ---: |" : " --- |");
    }
    canary__text_add(out, "\n");
}

/* Readers who do not tell colours apart have the mark; those who do not see it have the word. */
const char *canary__page_mark(enum canary__cell kind) {
    switch (kind) {
    case CANARY__CELL_GOOD:
        return "\xe2\x9c\x94"; /* heavy check mark */
    case CANARY__CELL_BAD:
        return "\xe2\x9c\x96"; /* heavy multiplication x */
    case CANARY__CELL_WARN:
        return "\xe2\x96\xb2"; /* triangle */
    case CANARY__CELL_DIM:
        return "\xe2\x80\x93"; /* dash */
    default:
        return NULL;
    }
}

const char *canary__page_class(enum canary__cell kind) {
    return kind == CANARY__CELL_GOOD   ? "good"
           : kind == CANARY__CELL_BAD  ? "bad"
           : kind == CANARY__CELL_WARN ? "warn"
                                       : "dim";
}

/* A span of code shows everything but backticks as it is. */
static int is_plain(const char *text) {
    return text[0] != '\0' &&
           text[strspn(
               text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static void content(struct canary__page *page, enum canary__cell kind, const char *text) {
    const char *mark = canary__page_mark(kind);

    if (mark != NULL && page->html) {
        canary__text_addf(page->out, "<span class=\"%s\"><span aria-hidden=\"true\">%s</span> ",
                          canary__page_class(kind), mark);
        canary__page_text(page, text);
        canary__text_add(page->out, "</span>");
    } else if (mark != NULL) {
        canary__text_addf(page->out, "%s ", mark);
        canary__page_text(page, text);
    } else if (kind == CANARY__CELL_CODE && page->html) {
        canary__text_add(page->out, "<code>");
        canary__page_text(page, text);
        canary__text_add(page->out, "</code>");
    } else if (kind == CANARY__CELL_CODE && is_plain(text)) {
        canary__text_addf(page->out, "`%s`", text);
    } else if (kind == CANARY__CELL_LONG && page->html && text[0] != '\0') {
        canary__text_add(page->out, "<bdi>");
        canary__page_text(page, text);
        canary__text_add(page->out, "</bdi>");
    } else {
        canary__page_text(page, text);
    }
}

void canary__page_cell(struct canary__page *page, enum canary__cell kind, const char *text) {
    int first = page->cell == 0;
    int last = page->cell + 1 == page->columns;

    if (page->html) {
        canary__text_addf(page->out, "%s<%s%s>", first ? "<tr>" : "",
                          first ? "th scope=\"row\"" : "td", class_of(kind));
        content(page, kind, text);
        canary__text_addf(page->out, "</%s>%s", first ? "th" : "td", last ? "</tr>\n" : "");
    } else {
        canary__text_add(page->out, first ? "| " : " ");
        content(page, kind, text);
        canary__text_add(page->out, last ? " |\n" : " |");
    }
    page->cell = last ? 0 : page->cell + 1;
}

void canary__page_figure(struct canary__page *page, enum canary__cell kind,
                         struct canary__text *text) {
    canary__page_cell(page, kind, canary__text_string(text));
    page->out->failed |= text->failed;
    canary__text_clear(text);
}

void canary__page_table_end(struct canary__page *page) {
    canary__text_add(page->out, page->html ? "</tbody></table></div>\n" : "\n");
}
