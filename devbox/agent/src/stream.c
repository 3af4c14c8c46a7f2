#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

enum { ROOM = 65536 };

struct flow {
    int from;
    int to;
    bool ended; /* no more comes; what is there still goes */
    size_t start;
    size_t size;
    char bytes[ROOM];
};

static struct flow flows[2];

static bool set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool is_done(const struct flow *flow) {
    return flow->ended && flow->size == 0;
}

static void fill(struct flow *flow) {
    ssize_t got = read(flow->from, flow->bytes, ROOM);
    if (got > 0) {
        flow->start = 0;
        flow->size = (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        flow->ended = true;
    }
}

/* Who reads no more ends it all the same. */
static void empty(struct flow *flow) {
    ssize_t put = write(flow->to, flow->bytes + flow->start, flow->size);
    if (put >= 0) {
        flow->start += (size_t)put;
        flow->size -= (size_t)put;
    } else if (errno != EAGAIN && errno != EINTR) {
        flow->ended = true;
        flow->size = 0;
    }
}

static struct pollfd wish(const struct flow *flow) {
    if (flow->size > 0) {
        return (struct pollfd){.fd = flow->to, .events = POLLOUT};
    }
    return (struct pollfd){.fd = flow->from, .events = POLLIN};
}

int stream_copy(int socket) {
    flows[0].from = STDIN_FILENO;
    flows[0].to = socket;
    flows[1].from = socket;
    flows[1].to = STDOUT_FILENO;
    if (!set_nonblocking(STDIN_FILENO) || !set_nonblocking(STDOUT_FILENO) || !set_nonblocking(socket)) {
        return 1;
    }
    while (!is_done(&flows[0]) && !is_done(&flows[1])) {
        struct pollfd wishes[2] = {wish(&flows[0]), wish(&flows[1])};
        if (poll(wishes, 2, -1) < 0 && errno != EINTR) {
            return 1;
        }
        for (int index = 0; index < 2; index++) {
            struct flow *flow = &flows[index];
            if (wishes[index].revents != 0) {
                (flow->size > 0 ? empty : fill)(flow);
            }
        }
    }
    return 0;
}
