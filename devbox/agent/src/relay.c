#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "channel.h"
#include "message.h"
#include "sockets.h"

enum { KNOCK_TIME = 20, KNOCKS_MOST = 500 }; /* ms between two tries; 10 s in all */

struct relay {
    struct channel channel;
    struct source source;
    struct timer timer;
    struct address *queue; /* a unix socket that has as many in its queue as it takes; NULL: no need to wait */
    unsigned knocks;
    struct sink sink;
    uint16_t port;
    bool datagrams;
    bool second;    /* if this fails there is another address to try */
    bool connected;
    bool blocked;   /* no credit or a full socket */
    bool heard_end; /* the socket has no more for us */
    bool said_end;  /* we have no more for the socket */
    int error;      /* the first that happened */
};

static const char *const loopback[] = {"127.0.0.1", "::1"};

static void stop_knocking(struct relay *relay) {
    timer_stop(&relay->timer);
    free(relay->queue);
    relay->queue = NULL;
}

static void destroy(struct relay *relay) {
    stop_knocking(relay);
    source_close(&relay->source);
    buffer_free(&relay->sink.waiting);
    channel_remove(&relay->channel);
    loop_free(relay);
}

static void finish(struct relay *relay, int error) {
    uint8_t bytes[4];
    put_u32(bytes, (uint32_t)error);
    channel_send(&relay->channel, FRAME_CLOSED, bytes, sizeof bytes);
    destroy(relay);
}

static void fail(struct relay *relay, int error) {
    channel_fail(&relay->channel, (uint32_t)error, STAGE_CONNECT, "the address does not answer");
    destroy(relay);
}

static void update(struct relay *relay) {
    uint32_t reads = relay->connected && !relay->blocked && !relay->heard_end ? EPOLLIN : 0;
    uint32_t writes = !relay->connected || relay->sink.waiting.size > 0 ? EPOLLOUT : 0;
    source_want(&relay->source, relay->queue != NULL ? 0 : reads | writes);
}

/* After anything has happened: pass an end on, and end when both directions have. May free the relay. */
static void settle(struct relay *relay) {
    struct sink *sink = &relay->sink;
    if (relay->connected && !relay->said_end && (sink->broken || (sink->ended && sink->waiting.size == 0))) {
        relay->said_end = true;
        if (!sink->broken && shutdown(relay->source.fd, SHUT_WR) != 0 && relay->error == 0) {
            relay->error = errno;
        }
    }
    if (relay->said_end && relay->heard_end) {
        finish(relay, relay->error);
    } else {
        update(relay);
    }
}

static void pump_stream(struct relay *relay) {
    size_t size;
    int error;
    switch (channel_pump(&relay->channel, relay->source.fd, FRAME_DATA, WIRE_PAYLOAD_MAX, &size, &error)) {
    case PUMPED:
    case PUMP_EMPTY:
        break;
    case PUMP_BLOCKED:
        relay->blocked = true;
        break;
    case PUMP_END:
        relay->heard_end = true;
        if (error != 0) { /* a connection that broke is broken in both directions */
            relay->error = relay->error != 0 ? relay->error : error;
            sink_break(&relay->sink, &relay->channel);
        } else {
            channel_send(&relay->channel, FRAME_EOF, NULL, 0);
        }
        break;
    }
}

/* Nobody listens there, says the other machine. Where two addresses are meant, the other one may be it. */
static void try_other(struct relay *relay) {
    struct address address;
    relay->second = false;
    if (!address_ip(&address, loopback[1], relay->port)) {
        return;
    }
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, address_of(&address), address.size) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    void (*ready)(struct source *, uint32_t) = relay->source.ready;
    source_close(&relay->source);
    if (!source_open(&relay->source, fd, ready)) {
        finish(relay, errno);
        return;
    }
    update(relay);
}

/* A datagram that went before found nobody. May free the relay. */
static void refused(struct relay *relay) {
    if (relay->second) {
        try_other(relay);
    } else {
        finish(relay, ECONNREFUSED);
    }
}

static void pump_datagram(struct relay *relay) {
    static uint8_t frame[WIRE_HEADER + WIRE_PAYLOAD_MAX];
    struct channel *channel = &relay->channel;
    if (connection_is_full(channel->connection)) {
        channel_wait(channel);
        relay->blocked = true;
        update(relay);
        return;
    }
    ssize_t got = recv(relay->source.fd, frame + WIRE_HEADER, WIRE_PAYLOAD_MAX, 0);
    if (got < 0) {
        if (errno == ECONNREFUSED) {
            refused(relay);
        }
        return; /* any other error is of one datagram that went before */
    }
    relay->second = false;
    if ((size_t)got <= channel->credit) {
        channel->credit -= (uint32_t)got;
        connection_send_framed(channel->connection, channel->number, FRAME_DATA, frame, (size_t)got);
    }
}

static void connect_next(struct relay *relay);

static void take_connected(struct relay *relay) {
    relay->connected = true;
    channel_started(&relay->channel, 0);
    int error;
    sink_flush(&relay->sink, &relay->channel, relay->source.fd, &error);
    relay->error = error;
    settle(relay);
}

/* No event tells of room in the queue of a unix socket. */
static void knock(struct timer *timer) {
    struct relay *relay = OWNER(timer, struct relay, timer);
    if (connect(relay->source.fd, address_of(relay->queue), relay->queue->size) == 0) {
        stop_knocking(relay);
        take_connected(relay);
    } else if (errno == EAGAIN && ++relay->knocks < KNOCKS_MOST) {
        timer_start(timer, KNOCK_TIME, knock);
    } else {
        fail(relay, errno);
    }
}

static bool wait_in_line(struct relay *relay, const struct address *address) {
    relay->queue = malloc(sizeof *relay->queue);
    if (relay->queue == NULL) {
        return false;
    }
    *relay->queue = *address;
    timer_start(&relay->timer, KNOCK_TIME, knock);
    return true;
}

static void check_connected(struct relay *relay) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(relay->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0) {
        take_connected(relay);
    } else if (relay->second) {
        connect_next(relay);
    } else {
        fail(relay, error);
    }
}

static void ready(struct source *source, uint32_t events) {
    struct relay *relay = OWNER(source, struct relay, source);
    if (!relay->connected) {
        check_connected(relay);
        return;
    }
    if (relay->datagrams) {
        pump_datagram(relay);
        return;
    }
    if (relay->sink.waiting.size > 0 && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        int error;
        sink_flush(&relay->sink, &relay->channel, source->fd, &error);
        relay->error = relay->error != 0 ? relay->error : error;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !relay->blocked && !relay->heard_end) {
        pump_stream(relay);
    }
    settle(relay);
}

/* Begin to connect; at once for what needs no waiting. False and errno: nothing is open. */
static bool begin(struct relay *relay, const struct address *address) {
    int type = relay->datagrams ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(address_family(address), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !source_open(&relay->source, fd, ready)) {
        return false;
    }
    if (address_family(address) != AF_UNIX && !relay->datagrams) {
        sockets_be_prompt(fd);
    }
    relay->connected = connect(fd, address_of(address), address->size) == 0;
    if (relay->connected || errno == EINPROGRESS) {
        return true;
    }
    int error = errno;
    if (error != EAGAIN || address_family(address) != AF_UNIX || !wait_in_line(relay, address)) {
        source_close(&relay->source);
        errno = error;
        return false;
    }
    return true;
}

/* The second address of `localhost`. */
static void connect_next(struct relay *relay) {
    struct address address;
    relay->second = false;
    source_close(&relay->source);
    if (!address_ip(&address, loopback[1], relay->port) || !begin(relay, &address)) {
        fail(relay, errno);
    } else if (relay->connected) {
        take_connected(relay);
    } else {
        update(relay);
    }
}

static void on_data(struct channel *channel, const uint8_t *bytes, size_t size) {
    struct relay *relay = OWNER(channel, struct relay, channel);
    if (relay->datagrams) {
        if (size > WIRE_DATAGRAM_MAX) {
            connection_violation(channel->connection, "a datagram of more than 65507 bytes");
            return;
        }
        channel_give_back(channel, size);
        /* What is lost is lost: these are datagrams. But a refusal that is told here is told nowhere else. */
        if (send(relay->source.fd, bytes, size, 0) < 0 && errno == ECONNREFUSED) {
            refused(relay);
        }
        return;
    }
    if (relay->sink.ended) {
        return;
    }
    int error;
    sink_add(&relay->sink, channel, relay->connected ? relay->source.fd : -1, bytes, size, &error);
    relay->error = relay->error != 0 ? relay->error : error;
    settle(relay);
}

static void on_eof(struct channel *channel) {
    struct relay *relay = OWNER(channel, struct relay, channel);
    if (!relay->datagrams) {
        relay->sink.ended = true;
        settle(relay);
    }
}

static void on_resume(struct channel *channel) {
    struct relay *relay = OWNER(channel, struct relay, channel);
    relay->blocked = false;
    update(relay);
}

static void on_close(struct channel *channel) {
    finish(OWNER(channel, struct relay, channel), 0);
}

static void on_vanish(struct channel *channel) {
    destroy(OWNER(channel, struct relay, channel));
}

static const struct channel_kind kind = {
    .data = on_data,
    .eof = on_eof,
    .resume = on_resume,
    .close = on_close,
    .vanish = on_vanish,
};

static struct relay *new_relay(struct connection *connection, uint32_t channel, uint32_t window) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay != NULL) {
        relay->source.fd = -1;
        channel_open(&relay->channel, &kind, connection);
        channel_add(&relay->channel, channel, window);
    }
    return relay;
}

bool relay_adopt(struct connection *connection, uint32_t channel, uint32_t window, int fd) {
    struct relay *relay = new_relay(connection, channel, window);
    if (relay == NULL) {
        close(fd);
        return false;
    }
    if (!source_open(&relay->source, fd, ready)) {
        destroy(relay);
        return false;
    }
    relay->connected = true;
    update(relay);
    return true;
}

/* IPv4 first, unless only the other one has something bound to the port: no answer tells us so with UDP. */
static int first_loopback(const struct connect_message *message) {
    bool datagrams = message->kind == CONNECT_UDP;
    return datagrams && !sockets_bound_udp(4, message->port) && sockets_bound_udp(6, message->port) ? 1 : 0;
}

static bool find_address(const struct connect_message *message, struct address *address, bool *second) {
    *second = false;
    if (message->kind == CONNECT_UNIX) {
        return address_unix(address, message->host);
    }
    if (strcmp(message->host, "localhost") != 0) {
        return address_ip(address, message->host, message->port);
    }
    int first = first_loopback(message);
    *second = first == 0;
    return address_ip(address, loopback[first], message->port);
}

void relay_connect(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    struct connect_message message;
    struct address address;
    if (!decode_connect(payload, size, &message)) {
        connection_violation(connection, "bad CONNECT");
        return;
    }
    struct relay *relay = new_relay(connection, channel, message.window);
    if (relay == NULL) {
        struct channel refused = {.connection = connection, .number = channel};
        channel_fail(&refused, ENOMEM, STAGE_RESOURCES, "no memory");
        return;
    }
    relay->port = message.port;
    relay->datagrams = message.kind == CONNECT_UDP;
    relay->channel.eager = relay->datagrams; /* a full datagram needs all the credit that there is */
    if (!find_address(&message, &address, &relay->second)) {
        fail(relay, EINVAL);
    } else if (begin(relay, &address)) {
        if (relay->connected) {
            take_connected(relay);
        } else {
            update(relay);
        }
    } else if (relay->second) {
        connect_next(relay);
    } else {
        fail(relay, errno);
    }
}
