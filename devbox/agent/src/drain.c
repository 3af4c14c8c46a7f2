#include "drain.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

enum { PIECE = 16384 };

static void ready(struct source *source, uint32_t events) {
    (void)events;
    static char dropped[PIECE];
    ssize_t got = read(source->fd, dropped, sizeof dropped);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        source_close(source);
        loop_free(source);
    }
}

void drain_start(int fd) {
    if (fd < 0) {
        return;
    }
    struct source *source = malloc(sizeof *source);
    if (source == NULL) {
        close(fd);
    } else if (!source_open(source, fd, ready)) {
        free(source);
    } else {
        source_want(source, EPOLLIN);
    }
}
