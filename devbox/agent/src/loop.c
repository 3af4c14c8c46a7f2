#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32 };

struct freed {
    struct freed *next;
};

static int epoll = -1;
static struct timer *timers; /* by due time */
static struct freed *freed;

bool loop_open(void) {
    epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll >= 0;
}

int64_t loop_now(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0; /* does not happen: the clock and the pointer are valid */
    }
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The memory itself holds the list, so that nothing has to be had in order to give back. */
void loop_free(void *memory) {
    struct freed *item = memory;
    item->next = freed;
    freed = item;
}

static void free_all(void) {
    while (freed != NULL) {
        struct freed *item = freed;
        freed = item->next;
        free(item);
    }
}

static int wait_time(void) {
    if (timers == NULL) {
        return -1;
    }
    int64_t left = timers->due - loop_now();
    if (left < 0) {
        return 0;
    }
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void fire_due(void) {
    int64_t now = timers == NULL ? 0 : loop_now();
    while (timers != NULL && timers->due <= now) {
        struct timer *timer = timers;
        timers = timer->next;
        timer->set = false;
        timer->fire(timer);
    }
}

void loop_turn(void) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(epoll, events, BATCH, wait_time());
    for (int index = 0; index < count; index++) {
        struct source *source = events[index].data.ptr;
        if (source->fd >= 0 && source->wanted != 0) {
            source->ready(source, events[index].events);
        }
    }
    fire_due();
    free_all();
}

/* A hang-up is reported whatever is asked for; edge-triggered and asked for nothing it comes once, and is ignored. */
static uint32_t mask(uint32_t wanted) {
    return wanted != 0 ? wanted : EPOLLET;
}

bool source_open(struct source *source, int fd, void (*ready)(struct source *, uint32_t)) {
    source->ready = ready;
    source->wanted = 0;
    source->other = NULL;
    source->fd = fd;
    struct epoll_event event = {.events = mask(0), .data.ptr = source};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        return true;
    }
    int error = errno;
    close(fd);
    source->fd = -1;
    errno = error;
    return false;
}

void source_want(struct source *source, uint32_t events) {
    if (source->fd < 0 || source->wanted == events) {
        return;
    }
    source->wanted = events;
    struct epoll_event event = {.events = mask(events), .data.ptr = source};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, source->fd, &event) != 0) {
        abort(); /* a change of what is registered needs no memory: this is a bug */
    }
}

void source_join(struct source *source, struct source *other) {
    source->other = other;
    other->other = source;
}

void source_pass_on(const struct source *source) {
    struct source *other = source->fd >= 0 ? source->other : NULL;
    if (other != NULL && (other->wanted & EPOLLIN) != 0) {
        other->ready(other, EPOLLIN);
    }
}

int source_take(struct source *source) {
    int fd = source->fd;
    if (fd >= 0) {
        if (source->other != NULL) {
            source->other->other = NULL;
            source->other = NULL;
        }
        /* Not left to close(): a process being started may hold a copy of the description for a moment. */
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &(struct epoll_event){0});
        source->fd = -1;
        source->wanted = 0;
    }
    return fd;
}

void source_close(struct source *source) {
    int fd = source_take(source);
    if (fd >= 0) {
        close(fd);
    }
}

void timer_start(struct timer *timer, int64_t delay, void (*fire)(struct timer *)) {
    timer_stop(timer);
    timer->fire = fire;
    timer->due = loop_now() + delay;
    timer->set = true;
    struct timer **place = &timers;
    while (*place != NULL && (*place)->due <= timer->due) {
        place = &(*place)->next;
    }
    timer->next = *place;
    *place = timer;
}

void timer_stop(struct timer *timer) {
    if (!timer->set) {
        return;
    }
    struct timer **place = &timers;
    while (*place != timer) {
        place = &(*place)->next;
    }
    *place = timer->next;
    timer->set = false;
}
