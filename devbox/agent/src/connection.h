/* One client: its socket, its HELLO, its frames in and out. What a frame does is for the floor above. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "loop.h"
#include "wire.h"

struct connection;
struct header;

enum connection_state { CONNECTION_NEW, CONNECTION_OPEN, CONNECTION_CLOSING, CONNECTION_DEAD };

/* The answer to HELLO: said with what comes next, if that comes at once, or `connection_hold` says soon. */
enum connection_hold { HOLD_NOTHING, HOLD_FOR_THIS_READ, HOLD_FOR_SOMETHING };

/* What a connection tells the floor above of. */
struct connection_kind {
    /* A frame of a client that has been let in. `payload` may be changed. */
    void (*frame)(struct connection *connection, const struct header *header, uint8_t *payload);
    void (*room)(struct connection *connection); /* the socket, which was full, is empty */
    void (*end)(struct connection *connection);  /* it has failed: leave it, close it, give its memory to loop_free */
};

/* Embedded in what it belongs to; all zero before it is opened. */
struct connection {
    const struct connection_kind *kind;
    struct source source;
    struct timer timer;
    enum connection_state state;
    bool silenced;       /* closing, and our direction is shut */
    enum connection_hold hold;
    struct buffer out;   /* what the socket did not take at once */
    uint8_t *partial;    /* a frame that has not come in whole */
    size_t partial_size;
    size_t partial_room; /* the frame's size, or that of a header while that is not complete */
    struct connection *next;
};

/* What is said to every client that asks. */
struct connection_facts {
    const char *identity;
    uint8_t boot_id[WIRE_BOOT_ID];
};

extern struct connection_facts connection_facts;

/* Takes the descriptor over. False: too many clients, or it cannot be watched; it was closed, and nothing is told. */
bool connection_open(struct connection *connection, const struct connection_kind *kind, int fd);
/* There is no place for one more client: say so, and close the descriptor. */
void connection_refuse(int fd);
/* Tell the end of those that failed since the last call; to be called after every turn of the loop. */
void connection_sweep(void);
/* At its `end` only: give back all that it has but its own memory. */
void connection_close(struct connection *connection);

/* Frames go out in the order of the calls. A socket that fails dooms the connection; the caller never has to care. */
void connection_send(struct connection *connection, uint32_t channel, uint8_t type, const void *payload, size_t size);
/* The same for a payload that lies behind WIRE_HEADER bytes of room at `frame`: nothing is copied on the way. */
void connection_send_framed(
    struct connection *connection, uint32_t channel, uint8_t type, uint8_t *frame, size_t payload_size);
/* Something will be said in a moment, or `connection_release` be called: what is held back can wait for that. */
void connection_hold(struct connection *connection);
void connection_release(struct connection *connection);
/* True if the socket is full: who can wait should, until there is `room`. */
bool connection_is_full(const struct connection *connection);
/* The client broke the protocol: ERROR, and the end. */
void connection_violation(struct connection *connection, const char *what);

#endif
