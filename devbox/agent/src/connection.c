#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "message.h"

#ifndef AGENT_BUILD
#define AGENT_BUILD "0000000000000000"
#endif

enum {
    HELLO_TIME = 10000,   /* ms */
    LINGER_TIME = 1000,   /* ms that a client has to read our last word */
    OUT_MOST = 262144,    /* bytes of answers that wait; above it no question is read */
    OUT_LIMIT = 4194304,  /* the questions of one read may have longer answers: a client that takes none of them is lost */
    CONNECTIONS_MOST = 4096,
};

struct connection_facts connection_facts;

static struct connection *connections;
static unsigned connection_count;

static void ready(struct source *source, uint32_t events);

static void doom(struct connection *connection) {
    connection->state = CONNECTION_DEAD;
    source_want(&connection->source, 0);
}

static void time_is_up(struct timer *timer) {
    doom(OWNER(timer, struct connection, timer));
}

/* Say why before it is closed: a client that hears nothing takes us for dead, and starts us again. */
void connection_refuse(int fd) {
    uint8_t bytes[64];
    struct writer writer = {.at = bytes + WIRE_HEADER, .room = sizeof bytes - WIRE_HEADER};
    write_str(&writer, "too many connections");
    encode_header(bytes, &(struct header){.length = (uint32_t)writer.size, .channel = 0, .type = FRAME_ERROR});
    (void)!write(fd, bytes, WIRE_HEADER + writer.size); /* fits into a new socket; if not, it is closed all the same */
    close(fd);
}

bool connection_open(struct connection *connection, const struct connection_kind *kind, int fd) {
    if (connection_count >= CONNECTIONS_MOST) {
        connection_refuse(fd);
        return false;
    }
    if (!source_open(&connection->source, fd, ready)) {
        return false;
    }
    connection->kind = kind;
    connection->next = connections;
    connections = connection;
    connection_count++;
    source_want(&connection->source, EPOLLIN);
    timer_start(&connection->timer, HELLO_TIME, time_is_up);
    return true;
}

void connection_close(struct connection *connection) {
    timer_stop(&connection->timer);
    source_close(&connection->source);
    buffer_free(&connection->out);
    free(connection->partial);
    connection_count--;
}

void connection_sweep(void) {
    struct connection **place = &connections;
    while (*place != NULL) {
        struct connection *connection = *place;
        if (connection->state == CONNECTION_DEAD) {
            *place = connection->next;
            connection->kind->end(connection);
        } else {
            place = &connection->next;
        }
    }
}

bool connection_is_full(const struct connection *connection) {
    return connection->out.size > 0 && connection->hold == HOLD_NOTHING;
}

static void choose_events(struct connection *connection) {
    if (connection->state == CONNECTION_DEAD) {
        return;
    }
    uint32_t events = connection_is_full(connection) ? EPOLLOUT : 0;
    if (connection->out.size <= OUT_MOST) {
        events |= EPOLLIN;
    }
    source_want(&connection->source, events);
}

/* Send what the socket takes now; the number of bytes. A failure dooms the connection. */
static size_t send_now(struct connection *connection, struct iovec *parts, int count) {
    ssize_t sent;
    do {
        sent = writev(connection->source.fd, parts, count); /* SIGPIPE is blocked, as every signal is */
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return (size_t)sent;
    }
    if (errno != EAGAIN) {
        doom(connection);
    }
    return 0;
}

static void send_waiting(struct connection *connection) {
    struct iovec part = {
        .iov_base = (void *)(uintptr_t)buffer_head(&connection->out),
        .iov_len = connection->out.size,
    };
    size_t sent = send_now(connection, &part, 1);
    if (sent > 0) {
        buffer_drop(&connection->out, sent);
    }
}

void connection_hold(struct connection *connection) {
    if (connection->hold != HOLD_NOTHING) {
        connection->hold = HOLD_FOR_SOMETHING;
    }
}

void connection_release(struct connection *connection) {
    if (connection->hold != HOLD_NOTHING) {
        connection->hold = HOLD_NOTHING;
        send_waiting(connection);
        choose_events(connection);
    }
}

static void send_parts(struct connection *connection, struct iovec *parts, int count) {
    if (connection->state == CONNECTION_DEAD || connection->silenced) {
        return;
    }
    size_t sent = connection->out.size == 0 ? send_now(connection, parts, count) : 0;
    for (int index = 0; index < count && connection->state != CONNECTION_DEAD; index++) {
        size_t done = sent < parts[index].iov_len ? sent : parts[index].iov_len;
        sent -= done;
        const uint8_t *rest = (const uint8_t *)parts[index].iov_base + done;
        if (!buffer_add(&connection->out, rest, parts[index].iov_len - done) || connection->out.size > OUT_LIMIT) {
            doom(connection);
        }
    }
    connection_release(connection);
    choose_events(connection);
}

void connection_send(struct connection *connection, uint32_t channel, uint8_t type, const void *payload, size_t size) {
    uint8_t header[WIRE_HEADER];
    encode_header(header, &(struct header){.length = (uint32_t)size, .channel = channel, .type = type});
    struct iovec parts[] = {
        {.iov_base = header, .iov_len = sizeof header},
        {.iov_base = (void *)(uintptr_t)payload, .iov_len = size}, /* writev only reads it */
    };
    send_parts(connection, parts, size > 0 ? 2 : 1);
}

void connection_send_framed(
    struct connection *connection, uint32_t channel, uint8_t type, uint8_t *frame, size_t payload_size) {
    encode_header(frame, &(struct header){.length = (uint32_t)payload_size, .channel = channel, .type = type});
    struct iovec whole = {.iov_base = frame, .iov_len = WIRE_HEADER + payload_size};
    send_parts(connection, &whole, 1);
}

static void finish_closing(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSING && connection->out.size == 0 && !connection->silenced) {
        connection->silenced = true;
        if (shutdown(connection->source.fd, SHUT_WR) != 0) {
            doom(connection);
        }
    }
}

static void start_closing(struct connection *connection) {
    if (connection->state != CONNECTION_DEAD) {
        connection->state = CONNECTION_CLOSING;
        timer_start(&connection->timer, LINGER_TIME, time_is_up);
        finish_closing(connection);
    }
}

void connection_violation(struct connection *connection, const char *what) {
    uint8_t bytes[128];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    write_str(&writer, what);
    connection_send(connection, 0, FRAME_ERROR, bytes, writer.size);
    start_closing(connection);
}

static void greet(struct connection *connection, uint8_t *payload, size_t size) {
    struct hello_message hello;
    if (!decode_hello(payload, size, &hello)) {
        connection_violation(connection, "not a HELLO");
        return;
    }
    bool known = hello.identity[0] == '\0' || strcmp(hello.identity, connection_facts.identity) == 0;
    bool accepted = hello.version == WIRE_VERSION && known;
    uint8_t frame[WIRE_HEADER + 1024];
    struct writer writer = {.at = frame + WIRE_HEADER, .room = sizeof frame - WIRE_HEADER};
    write_bytes(&writer, WIRE_MAGIC, WIRE_MAGIC_SIZE);
    write_u16(&writer, WIRE_VERSION);
    write_u16(&writer, accepted ? 1 : 0);
    write_bytes(&writer, connection_facts.boot_id, sizeof connection_facts.boot_id);
    write_str(&writer, connection_facts.identity);
    write_str(&writer, AGENT_BUILD);
    encode_header(frame, &(struct header){.length = (uint32_t)writer.size, .channel = 0, .type = FRAME_HELLO});
    if (!buffer_add(&connection->out, frame, WIRE_HEADER + writer.size)) {
        doom(connection);
        return;
    }
    connection->hold = HOLD_FOR_THIS_READ;
    if (!accepted) {
        connection_release(connection);
        start_closing(connection);
    } else if (connection->state == CONNECTION_NEW) {
        connection->state = CONNECTION_OPEN;
        timer_stop(&connection->timer);
    }
}

static void handle_frame(struct connection *connection, const struct header *header, uint8_t *payload) {
    if (connection->state == CONNECTION_OPEN) {
        connection->kind->frame(connection, header, payload);
    } else if (connection->state == CONNECTION_NEW) {
        if (header->type == FRAME_HELLO && header->channel == 0) {
            greet(connection, payload, header->length);
        } else {
            connection_violation(connection, "HELLO must come first");
        }
    }
}

/* Handle the whole frames of `bytes`; the number of bytes that they were. */
static size_t handle_frames(struct connection *connection, uint8_t *bytes, size_t size) {
    size_t done = 0;
    while (size - done >= WIRE_HEADER && connection->state <= CONNECTION_OPEN) {
        struct header header;
        bool new = connection->state == CONNECTION_NEW;
        if (!decode_header(bytes + done, &header) || (new && header.length > WIRE_PAYLOAD_MAX)) {
            connection_violation(connection, "bad frame header");
            break;
        }
        size_t whole = WIRE_HEADER + (size_t)header.length;
        if (size - done < whole) {
            break;
        }
        handle_frame(connection, &header, bytes + done + WIRE_HEADER);
        done += whole;
    }
    if (connection->hold == HOLD_FOR_THIS_READ) {
        connection_release(connection);
    }
    return connection->state <= CONNECTION_OPEN ? done : size;
}

/* Keep the start of a frame in memory that is as large as the frame, or as a header if that is not whole. */
static void keep_partial(struct connection *connection, const uint8_t *bytes, size_t size) {
    struct header header;
    size_t room = WIRE_HEADER;
    if (size >= WIRE_HEADER) {
        decode_header(bytes, &header); /* was found good a moment before */
        room += header.length;
    }
    uint8_t *partial = malloc(room);
    if (partial == NULL) {
        doom(connection);
        return;
    }
    memcpy(partial, bytes, size);
    free(connection->partial);
    connection->partial = partial;
    connection->partial_size = size;
    connection->partial_room = room;
}

static void handle_partial(struct connection *connection) {
    if (connection->partial_size < connection->partial_room) {
        return;
    }
    uint8_t *bytes = connection->partial;
    size_t size = connection->partial_size;
    connection->partial = NULL;
    connection->partial_size = 0;
    connection->partial_room = 0;
    size_t done = handle_frames(connection, bytes, size);
    if (done < size) { /* it was a header: now its frame's size is known */
        keep_partial(connection, bytes, size);
    }
    free(bytes);
}

static ssize_t receive(struct connection *connection, uint8_t *bytes, size_t size) {
    ssize_t got = recv(connection->source.fd, bytes, size, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        doom(connection);
    }
    return got;
}

static void read_frames(struct connection *connection) {
    static uint8_t shared[WIRE_HEADER + WIRE_PAYLOAD_MAX];
    ssize_t got;
    if (connection->partial != NULL) {
        size_t missing = connection->partial_room - connection->partial_size;
        got = receive(connection, connection->partial + connection->partial_size, missing);
        if (got > 0) {
            connection->partial_size += (size_t)got;
            handle_partial(connection);
        }
        return;
    }
    got = receive(connection, shared, sizeof shared);
    if (got > 0) {
        size_t done = handle_frames(connection, shared, (size_t)got);
        if (done < (size_t)got) {
            keep_partial(connection, shared + done, (size_t)got - done);
        }
    }
}

static void flush(struct connection *connection) {
    send_waiting(connection);
    if (connection->out.size == 0) {
        connection->kind->room(connection);
    }
    finish_closing(connection);
}

static void ready(struct source *source, uint32_t events) {
    struct connection *connection = OWNER(source, struct connection, source);
    if ((events & EPOLLOUT) != 0 && connection->out.size > 0) {
        flush(connection);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && connection->state != CONNECTION_DEAD) {
        if (connection->state == CONNECTION_CLOSING) {
            uint8_t dropped[4096];
            receive(connection, dropped, sizeof dropped);
        } else {
            read_frames(connection);
        }
    }
    choose_events(connection);
}
