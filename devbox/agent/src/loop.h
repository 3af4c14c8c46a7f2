/* The one event loop: descriptors, timers, and memory that is given back when no event can name it any more. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* One descriptor. Embedded in what it belongs to; `fd` is -1 while closed. */
struct source {
    void (*ready)(struct source *source, uint32_t events);
    int fd;
    uint32_t wanted;
    struct source *other; /* of a pair that has both its ends in this process */
};

bool loop_open(void);
/* Wait for events or timers and handle them, once. */
void loop_turn(void);
/* Milliseconds of the monotonic clock. */
int64_t loop_now(void);
/* Free `memory` at the end of this turn. */
void loop_free(void *memory);

/* Takes the descriptor over; on false (errno) it was closed. */
bool source_open(struct source *source, int fd, void (*ready)(struct source *, uint32_t));
/* EPOLLIN, EPOLLOUT, both, or 0: then not even a hang-up is reported. With EPOLLET it is told of changes alone.
   Harmless on a closed source. */
void source_want(struct source *source, uint32_t events);
/* What is written to one of the two is there for the other one to read. */
void source_join(struct source *source, struct source *other);
/* Have what was written to it be read now, if it is one of such a pair, and not after what is still to be done. */
void source_pass_on(const struct source *source);
/* Stop watching and give the descriptor back. */
int source_take(struct source *source);
void source_close(struct source *source);

/* Called once, `delay` ms after timer_start; embedded in what it belongs to. */
struct timer {
    void (*fire)(struct timer *timer);
    struct timer *next;
    int64_t due;
    bool set;
};

void timer_start(struct timer *timer, int64_t delay, void (*fire)(struct timer *));
void timer_stop(struct timer *timer);

#endif
