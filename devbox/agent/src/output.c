#include "output.h"

#include <sys/ioctl.h>

#include "wire.h"

enum { TERMINAL_LEFT_MOST = 131072 }; /* more than a pty can hold of what an ended process had written */

bool output_pump(struct output *output, struct channel *channel) {
    size_t size;
    int error;
    size_t most = output->ended ? output->left : WIRE_PAYLOAD_MAX;
    switch (channel_pump(channel, output->source.fd, output->type, most, &size, &error)) {
    case PUMPED:
        if (output->ended) {
            output->left -= size;
            output->over = output->left == 0;
        }
        break;
    case PUMP_EMPTY:
        output->over = output->ended;
        break;
    case PUMP_END:
        output->over = true;
        if (!output->terminal) {
            source_close(&output->source);
        }
        break;
    case PUMP_BLOCKED:
        return false;
    }
    return true;
}

static size_t unread(const struct output *output) {
    int size;
    if (output->terminal) {
        return TERMINAL_LEFT_MOST;
    }
    return output->source.fd >= 0 && ioctl(output->source.fd, FIONREAD, &size) == 0 ? (size_t)size : 0;
}

void output_ended(struct output *output) {
    output->ended = true;
    output->left = unread(output);
    output->over = output->over || output->left == 0;
}
