#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool lines_open(struct lines *lines, const char *path) {
    lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* not to hang on a pipe of that name */
    lines->start = 0;
    lines->end = 0;
    lines->total = 0;
    lines->skipping = false;
    return lines->fd >= 0;
}

void lines_close(struct lines *lines) {
    close(lines->fd);
}

static bool fill(struct lines *lines) {
    if (lines->start > 0) {
        memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    } else if (lines->end == LINES_ROOM) {
        lines->end = 0;
        lines->skipping = true;
    }
    ssize_t got = -1;
    if (lines->total < LINES_MOST) {
        do {
            got = read(lines->fd, lines->bytes + lines->end, LINES_ROOM - lines->end);
        } while (got < 0 && errno == EINTR);
    }
    if (got <= 0) {
        lines->skipping = lines->skipping || got < 0; /* half a line is none */
        return false;
    }
    lines->end += (size_t)got;
    lines->total += (size_t)got;
    return true;
}

char *lines_next(struct lines *lines) {
    for (;;) {
        char *line = lines->bytes + lines->start;
        size_t size = lines->end - lines->start;
        char *end = size > 0 ? memchr(line, '\n', size) : NULL;
        if (end != NULL) {
            bool skipped = lines->skipping;
            lines->start = (size_t)(end - lines->bytes) + 1;
            lines->skipping = false;
            *end = '\0';
            if (!skipped) {
                return line;
            }
        } else if (!fill(lines)) {
            line = lines->bytes + lines->start;
            size = lines->end - lines->start;
            if (size == 0 || size == LINES_ROOM || lines->skipping) {
                return NULL;
            }
            lines->start = lines->end;
            line[size] = '\0';
            return line;
        }
    }
}
