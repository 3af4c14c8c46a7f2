/* One client: its socket, its frames in and out, its channels. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "loop.h"
#include "wire.h"

struct channel;

enum { CONNECTION_BUCKETS = 64 };

enum connection_state { CONNECTION_NEW, CONNECTION_OPEN, CONNECTION_CLOSING, CONNECTION_DEAD };

struct connection {
    struct source source;
    struct timer timer;
    enum connection_state state;
    bool silenced;       /* closing, and our direction is shut */
    struct buffer out;   /* what the socket did not take at once */
    uint8_t *partial;    /* a frame that has not come in whole */
    size_t partial_size;
    size_t partial_room; /* the frame's size, or that of a header while that is not complete */
    struct channel *buckets[CONNECTION_BUCKETS];
    struct channel *paused; /* wait for `out` to become empty */
    uint32_t next_accepted;
    unsigned listeners;
    struct connection *next;
};

/* What is said to every client that asks. */
struct connection_facts {
    const char *identity;
    uint8_t boot_id[WIRE_BOOT_ID];
};

extern struct connection_facts connection_facts;

/* Takes the descriptor over. False: no memory or too many clients; it was closed. */
bool connection_open(int fd);
/* Tear down those that failed since the last call; to be called after every turn of the loop. */
void connection_sweep(void);

/* Frames go out in the order of the calls. A socket that fails dooms the connection; the caller never has to care. */
void connection_send(struct connection *connection, uint32_t channel, uint8_t type, const void *payload, size_t size);
/* The same for a payload that lies behind WIRE_HEADER bytes of room at `frame`: nothing is copied on the way. */
void connection_send_framed(
    struct connection *connection, uint32_t channel, uint8_t type, uint8_t *frame, size_t payload_size);
/* True if the socket is full: who can wait should, and is resumed when it is empty. */
bool connection_is_full(const struct connection *connection);
/* The client broke the protocol: ERROR, and the end. */
void connection_violation(struct connection *connection, const char *what);

#endif
