#include "dispatch.h"

#include <stdlib.h>

#include "channel.h"
#include "filestate.h"
#include "listener.h"
#include "message.h"
#include "process.h"
#include "relay.h"
#include "sessions.h"
#include "sockets.h"

static void on_data(struct channel *channel, const uint8_t *payload, size_t size) {
    if (!channel_count(channel, size)) {
        connection_violation(channel->connection, "DATA above the credit");
    } else if (channel->kind->data != NULL) {
        channel->kind->data(channel, payload, size);
    }
}

static void on_window(struct connection *connection, struct channel *channel, struct reader *reader) {
    uint32_t more = read_u32(reader);
    if (!read_all(reader)) {
        connection_violation(connection, "bad WINDOW");
    } else if (channel != NULL) {
        channel_window(channel, more);
    }
}

static void on_resize(struct connection *connection, struct channel *channel, struct reader *reader) {
    uint16_t rows = read_u16(reader);
    uint16_t columns = read_u16(reader);
    if (!read_all(reader)) {
        connection_violation(connection, "bad RESIZE");
    } else if (channel != NULL && channel->kind->resize != NULL) {
        channel->kind->resize(channel, rows, columns);
    }
}

static void on_signal(struct connection *connection, struct channel *channel, struct reader *reader) {
    uint32_t number = read_u32(reader);
    if (!read_all(reader) || number < 1 || number > 64) {
        connection_violation(connection, "bad SIGNAL");
    } else if (channel != NULL && channel->kind->signal != NULL) {
        channel->kind->signal(channel, (int)number);
    }
}

static void on_bare(struct connection *connection, struct channel *channel, const struct header *header) {
    if (header->length != 0) {
        connection_violation(connection, header->type == FRAME_EOF ? "bad EOF" : "bad CLOSE");
    } else if (channel != NULL && header->type == FRAME_CLOSE) {
        channel->kind->close(channel);
    } else if (channel != NULL && channel->kind->eof != NULL) {
        channel->kind->eof(channel);
    }
}

/* Frames for a channel that is there; for one that has ended a moment before they are checked and dropped. */
static bool dispatch_to_channel(struct connection *connection, const struct header *header, uint8_t *payload) {
    struct channel *channel = channel_find(connection, header->channel);
    struct reader reader = {.at = payload, .left = header->length};
    switch (header->type) {
    case FRAME_DATA:
        if (channel != NULL) {
            on_data(channel, payload, header->length);
        }
        return true;
    case FRAME_EOF:
    case FRAME_CLOSE:
        on_bare(connection, channel, header);
        return true;
    case FRAME_WINDOW:
        on_window(connection, channel, &reader);
        return true;
    case FRAME_RESIZE:
        on_resize(connection, channel, &reader);
        return true;
    case FRAME_SIGNAL:
        on_signal(connection, channel, &reader);
        return true;
    default:
        return false;
    }
}

static void dispatch_new(struct connection *connection, const struct header *header, uint8_t *payload) {
    switch (header->type) {
    case FRAME_EXEC:
        process_exec(connection, header->channel, payload, header->length);
        break;
    case FRAME_CONNECT:
        relay_connect(connection, header->channel, payload, header->length);
        break;
    case FRAME_LISTEN:
        listener_open(connection, header->channel, payload, header->length);
        break;
    case FRAME_LISTENERS:
        sockets_answer(connection, header->channel, header->length);
        break;
    case FRAME_STAT:
        filestate_answer(connection, header->channel, payload, header->length);
        break;
    case FRAME_SESSIONS:
        sessions_answer(connection, header->channel, header->length);
        break;
    default:
        connection_violation(connection, "unknown frame type");
    }
}

static void on_frame(struct connection *connection, const struct header *header, uint8_t *payload) {
    if (header->channel == 0) {
        connection_violation(connection, "channel 0 is the connection itself");
    } else if (!dispatch_to_channel(connection, header, payload)) {
        if (header->channel >= WIRE_FIRST_ACCEPTED || channel_find(connection, header->channel) != NULL) {
            connection_violation(connection, "the channel is in use or reserved");
        } else {
            dispatch_new(connection, header, payload);
        }
    }
}

static void on_end(struct connection *connection) {
    channels_vanish(connection);
    connection_close(connection);
    loop_free(channels_of(connection));
}

static const struct connection_kind kind = {.frame = on_frame, .room = channels_resume, .end = on_end};

struct source *dispatch_open(int fd) {
    struct channels *client = calloc(1, sizeof *client);
    if (client == NULL) {
        connection_refuse(fd);
        return NULL;
    }
    if (!connection_open(&client->connection, &kind, fd)) {
        free(client);
        return NULL;
    }
    return &client->connection.source;
}
