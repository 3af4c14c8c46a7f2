/* The channels of a connection and their flow control: what a process, a relay and a listener have in common. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "connection.h"

struct channel;

enum { CHANNEL_BUCKETS = 64 };

/* A connection and what is on it. */
struct channels {
    struct connection connection;
    struct channel *buckets[CHANNEL_BUCKETS];
    struct channel *paused; /* wait for room in the socket */
    uint32_t next_accepted;
    unsigned listeners;
};

/* What a frame for the channel does. NULL: the frame means nothing there and is dropped. */
struct channel_kind {
    void (*data)(struct channel *channel, const uint8_t *bytes, size_t size);
    void (*eof)(struct channel *channel);
    void (*resume)(struct channel *channel); /* it may send again */
    void (*resize)(struct channel *channel, uint16_t rows, uint16_t columns);
    void (*signal)(struct channel *channel, int number);
    void (*close)(struct channel *channel);  /* CLOSE: ends the channel, now or soon */
    void (*vanish)(struct channel *channel); /* the connection is gone: frees the channel, now */
};

struct channel {
    const struct channel_kind *kind;
    struct connection *connection;
    struct channel *next;        /* in its bucket */
    struct channel *next_paused;
    uint32_t number;
    uint32_t credit;    /* bytes that the client still takes */
    uint32_t allowance; /* bytes that the client may still send */
    uint32_t taken;     /* bytes that were taken and not given back by WINDOW */
    uint32_t give_back; /* how many of them are worth a WINDOW */
    bool paused;
    bool eager;         /* give back every byte at once */
};

/* Every connection is opened as the one of a `struct channels`. */
struct channels *channels_of(struct connection *connection);
/* The connection has room: resume all that waited for it. */
void channels_resume(struct connection *connection);
/* The connection has ended: all that is on it vanishes. */
void channels_vanish(struct connection *connection);

void channel_open(struct channel *channel, const struct channel_kind *kind, struct connection *connection);
struct channel *channel_find(struct connection *connection, uint32_t number);
void channel_add(struct channel *channel, uint32_t number, uint32_t window);
/* Take it off its connection; the memory stays the caller's. */
void channel_remove(struct channel *channel);
/* Be resumed when the socket, which is full, is empty. */
void channel_wait(struct channel *channel);

void channel_send(struct channel *channel, uint8_t type, const void *payload, size_t size);
void channel_fail(struct channel *channel, uint32_t error, uint8_t stage, const char *what);
void channel_started(struct channel *channel, uint32_t number);

/* The client's bytes: counted in when they come (false: more than allowed), given back when they are taken. */
bool channel_count(struct channel *channel, size_t size);
void channel_give_back(struct channel *channel, size_t size);
/* Let the client send so much more than at first, for as long as the channel is. */
void channel_widen(struct channel *channel, uint32_t more);
void channel_window(struct channel *channel, uint32_t more);

enum pumped { PUMPED, PUMP_EMPTY, PUMP_END, PUMP_BLOCKED };

/* Read at most `most` bytes from `fd` and send them as one frame.
   PUMPED: `*size` bytes went. PUMP_EMPTY: nothing there now. PUMP_END: end of file or, if not 0, `*error`.
   PUMP_BLOCKED: no credit, or the socket is full; `resume` will be called. */
enum pumped channel_pump(struct channel *channel, int fd, uint8_t type, size_t most, size_t *size, int *error);

/* Where the client's bytes go: at once as far as it takes them, the rest when it can. */
struct sink {
    struct buffer waiting;
    bool ended;  /* no more will come */
    bool broken; /* nobody reads: bytes are dropped, and count as taken */
};

/* Both write to `fd` (-1: not yet there, all of it waits); true if bytes remain that wait for EPOLLOUT. `*error` is set if the sink broke just now. */
bool sink_add(struct sink *sink, struct channel *channel, int fd, const uint8_t *bytes, size_t size, int *error);
bool sink_flush(struct sink *sink, struct channel *channel, int fd, int *error);
void sink_break(struct sink *sink, struct channel *channel);

#endif
