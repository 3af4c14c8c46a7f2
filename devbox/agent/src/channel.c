#include "channel.h"

#include <errno.h>
#include <unistd.h>

#include "message.h"

enum { GIVE_BACK_PART = 4 };

struct channels *channels_of(struct connection *connection) {
    return OWNER(connection, struct channels, connection);
}

void channel_open(struct channel *channel, const struct channel_kind *kind, struct connection *connection) {
    channel->kind = kind;
    channel->connection = connection;
    channel->allowance = WIRE_CREDIT;
    channel->give_back = WIRE_CREDIT / GIVE_BACK_PART;
}

static struct channel **bucket(struct connection *connection, uint32_t number) {
    return &channels_of(connection)->buckets[number % CHANNEL_BUCKETS];
}

struct channel *channel_find(struct connection *connection, uint32_t number) {
    struct channel *channel = *bucket(connection, number);
    while (channel != NULL && channel->number != number) {
        channel = channel->next;
    }
    return channel;
}

void channel_add(struct channel *channel, uint32_t number, uint32_t window) {
    struct channel **place = bucket(channel->connection, number);
    channel->number = number;
    channel->credit = window;
    channel->next = *place;
    *place = channel;
}

static void forget_pause(struct channel *channel) {
    struct channel **place = &channels_of(channel->connection)->paused;
    while (*place != channel) {
        place = &(*place)->next_paused;
    }
    *place = channel->next_paused;
    channel->paused = false;
}

void channel_remove(struct channel *channel) {
    if (channel->paused) {
        forget_pause(channel);
    }
    struct channel **place = bucket(channel->connection, channel->number);
    while (*place != channel) {
        place = &(*place)->next;
    }
    *place = channel->next;
}

void channel_wait(struct channel *channel) {
    struct channels *channels = channels_of(channel->connection);
    if (!channel->paused) {
        channel->paused = true;
        channel->next_paused = channels->paused;
        channels->paused = channel;
    }
}

void channels_resume(struct connection *connection) {
    struct channels *channels = channels_of(connection);
    while (channels->paused != NULL && !connection_is_full(connection)) {
        struct channel *channel = channels->paused;
        forget_pause(channel);
        channel->kind->resume(channel);
    }
}

void channels_vanish(struct connection *connection) {
    struct channels *channels = channels_of(connection);
    for (size_t index = 0; index < CHANNEL_BUCKETS; index++) {
        while (channels->buckets[index] != NULL) {
            struct channel *channel = channels->buckets[index];
            channel->kind->vanish(channel);
        }
    }
}

void channel_send(struct channel *channel, uint8_t type, const void *payload, size_t size) {
    connection_send(channel->connection, channel->number, type, payload, size);
}

void channel_fail(struct channel *channel, uint32_t error, uint8_t stage, const char *what) {
    uint8_t bytes[128];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    write_u32(&writer, error);
    write_u8(&writer, stage);
    write_str(&writer, what);
    channel_send(channel, FRAME_FAILED, bytes, writer.size);
}

void channel_started(struct channel *channel, uint32_t number) {
    uint8_t bytes[4];
    put_u32(bytes, number);
    channel_send(channel, FRAME_STARTED, bytes, sizeof bytes);
}

bool channel_count(struct channel *channel, size_t size) {
    if (size > channel->allowance) {
        return false;
    }
    channel->allowance -= (uint32_t)size;
    return true;
}

static void allow(struct channel *channel, uint32_t more) {
    uint8_t bytes[4];
    put_u32(bytes, more);
    channel->allowance += more;
    channel_send(channel, FRAME_WINDOW, bytes, sizeof bytes);
}

/* Not for every byte: a WINDOW for each key stroke would wake the client for nothing. */
void channel_give_back(struct channel *channel, size_t size) {
    channel->taken += (uint32_t)size;
    if (channel->taken >= channel->give_back || (channel->eager && channel->taken > 0)) {
        uint32_t taken = channel->taken;
        channel->taken = 0;
        allow(channel, taken);
    }
}

void channel_widen(struct channel *channel, uint32_t more) {
    channel->give_back += more / GIVE_BACK_PART;
    allow(channel, more);
}

void channel_window(struct channel *channel, uint32_t more) {
    bool waited = channel->credit == 0;
    channel->credit = more > UINT32_MAX - channel->credit ? UINT32_MAX : channel->credit + more;
    if (waited && more > 0 && !channel->paused) {
        channel->kind->resume(channel);
    }
}

enum pumped channel_pump(struct channel *channel, int fd, uint8_t type, size_t most, size_t *size, int *error) {
    static uint8_t frame[WIRE_HEADER + WIRE_PAYLOAD_MAX];
    *size = 0;
    *error = 0;
    if (connection_is_full(channel->connection)) {
        channel_wait(channel);
        return PUMP_BLOCKED;
    }
    if (channel->credit == 0) {
        return PUMP_BLOCKED;
    }
    size_t room = channel->credit < WIRE_PAYLOAD_MAX ? channel->credit : WIRE_PAYLOAD_MAX;
    ssize_t got = read(fd, frame + WIRE_HEADER, most < room ? most : room);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return PUMP_EMPTY;
    }
    if (got <= 0) {
        *error = got < 0 ? errno : 0;
        return PUMP_END;
    }
    *size = (size_t)got;
    channel->credit -= (uint32_t)got;
    connection_send_framed(channel->connection, channel->number, type, frame, *size);
    return PUMPED;
}

/* How much of it `fd` takes now; broken if it never will again. */
static size_t write_some(struct sink *sink, int fd, const uint8_t *bytes, size_t size, int *error) {
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(fd, bytes + done, size - done);
        if (put > 0) {
            done += (size_t)put;
        } else if (put == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            *error = errno;
            sink->broken = true;
            break;
        }
    }
    return done;
}

void sink_break(struct sink *sink, struct channel *channel) {
    size_t dropped = sink->waiting.size;
    sink->broken = true;
    buffer_free(&sink->waiting);
    if (dropped > 0) {
        channel_give_back(channel, dropped);
    }
}

bool sink_add(struct sink *sink, struct channel *channel, int fd, const uint8_t *bytes, size_t size, int *error) {
    *error = 0;
    size_t done = 0;
    if (fd >= 0 && !sink->broken && sink->waiting.size == 0) {
        done = write_some(sink, fd, bytes, size, error);
    }
    if (!sink->broken && !buffer_add(&sink->waiting, bytes + done, size - done)) {
        *error = ENOMEM;
        sink_break(sink, channel);
    }
    channel_give_back(channel, sink->broken ? size : done);
    return sink->waiting.size > 0;
}

bool sink_flush(struct sink *sink, struct channel *channel, int fd, int *error) {
    *error = 0;
    if (sink->waiting.size == 0) {
        return false;
    }
    size_t done = write_some(sink, fd, buffer_head(&sink->waiting), sink->waiting.size, error);
    buffer_drop(&sink->waiting, done);
    channel_give_back(channel, done);
    if (sink->broken) {
        sink_break(sink, channel);
    }
    return sink->waiting.size > 0;
}
