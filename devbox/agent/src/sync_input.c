#include "sync_input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sync_events.h"
#include "sync_packet.h"
#include "sync_paths.h"

static uint8_t bytes[SYNC_WINDOW + SYNC_HEADER + SYNC_REQUEST_MOST];
static size_t start, end;

uint8_t *input_next(size_t *size) {
    size_t there = end - start;
    uint32_t length = there >= sizeof(uint32_t) ? get_u32(bytes + start) : 0;
    if (length > SYNC_REQUEST_MOST) {
        _exit(1); /* not our protocol */
    }
    if (there < SYNC_HEADER || there - SYNC_HEADER < length) {
        memmove(bytes, bytes + start, there); /* nothing of it is in use now */
        start = 0;
        end = there;
        return NULL;
    }
    uint8_t *request = bytes + start + sizeof(uint32_t);
    *size = SYNC_HEADER - sizeof(uint32_t) + length;
    start += SYNC_HEADER + length;
    return request;
}

bool input_is_there(void) {
    size_t there = end - start;
    return there >= SYNC_HEADER && there - SYNC_HEADER >= get_u32(bytes + start);
}

static void take(void) {
    ssize_t got = read(STDIN_FILENO, bytes + end, sizeof bytes - end);
    if (got > 0) {
        end += (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        _exit(0); /* the client has gone */
    }
}

void input_wait(short what) {
    struct pollfd waits[] = {
        {.fd = end < sizeof bytes ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = what == POLLOUT ? STDOUT_FILENO : events_descriptor(), .events = what},
    };
    paths_forget();
    events_rest(what == POLLIN);
    int found = poll(waits, 2, what == POLLOUT ? -1 : events_patience());
    events_rest(false);
    if (found > 0 && waits[0].revents != 0) {
        take();
    }
}
