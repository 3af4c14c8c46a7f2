#include "strand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "line_frame.h"
#include "loop.h"
#include "message.h"
#include "port.h"

enum { BUCKETS = 256, STRANDS_MOST = 4096, CREDIT_MOST = 1 << 30 };

struct strand {
    struct source source;
    struct strand *next; /* in its bucket */
    uint32_t number;
    uint32_t credit;       /* what we may send over the line */
    uint32_t room;         /* what the other side may send */
    uint32_t owed;         /* what was taken of it, and has not been given back */
    struct buffer waiting; /* for the descriptor */
    bool heard_end;        /* no more comes over the line */
    bool passed_end;       /* and the descriptor was told */
    bool said_end;         /* no more comes from the descriptor */
};

static struct strand *buckets[BUCKETS];
static unsigned count;

static struct strand **place_of(uint32_t number) {
    struct strand **place = &buckets[number % BUCKETS];
    while (*place != NULL && (*place)->number != number) {
        place = &(*place)->next;
    }
    return place;
}

struct strand *strand_find(uint32_t number) {
    return *place_of(number);
}

void strand_destroy(struct strand *strand) {
    *place_of(strand->number) = strand->next;
    source_close(&strand->source);
    buffer_free(&strand->waiting);
    loop_free(strand);
    count--;
}

void strands_forget(void) {
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        while (buckets[bucket] != NULL) {
            strand_destroy(buckets[bucket]);
        }
    }
}

/* What was read of the descriptor, 0 at its end, -1 and errno; it is said over the line. There must be credit. */
static ssize_t pump(struct strand *strand) {
    static uint8_t frame[LINE_HEADER + LINE_DATA_BEST];
    size_t most = strand->credit < LINE_DATA_BEST ? strand->credit : LINE_DATA_BEST;
    ssize_t got = read(strand->source.fd, frame + LINE_HEADER, most);
    if (got > 0) {
        strand->credit -= (uint32_t)got;
        line_send_data(strand->number, frame, (size_t)got);
    } else if (got == 0) {
        strand->said_end = true;
        line_send(strand->number, LINE_KIND_END, NULL, 0);
    }
    return got;
}

/* Who takes nothing any more may have said why: that lies in the descriptor and goes out first, be the port full. */
static void break_off(struct strand *strand) {
    while (!strand->said_end && strand->credit > 0 && pump(strand) > 0) {
    }
    line_send(strand->number, LINE_KIND_CLOSE, NULL, 0);
    strand_destroy(strand);
}

static void update(struct strand *strand) {
    bool reads = !strand->said_end && strand->credit > 0 && !port_is_full();
    source_want(&strand->source, (reads ? EPOLLIN : 0) | (strand->waiting.size > 0 ? EPOLLOUT : 0));
}

void strands_resume(void) {
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        for (struct strand *strand = buckets[bucket]; strand != NULL; strand = strand->next) {
            update(strand);
        }
    }
}

/* After anything has happened: pass the end on, and go when both directions have ended. May destroy the strand. */
static void settle(struct strand *strand) {
    if (strand->heard_end && !strand->passed_end && strand->waiting.size == 0) {
        strand->passed_end = true;
        if (shutdown(strand->source.fd, SHUT_WR) != 0) {
            break_off(strand);
            return;
        }
    }
    if (strand->passed_end && strand->said_end) {
        strand_destroy(strand);
    } else {
        update(strand);
    }
}

static void give_back(struct strand *strand, size_t size) {
    strand->owed += (uint32_t)size;
    if (strand->owed < LINE_CREDIT / 2 || strand->heard_end) {
        return;
    }
    uint8_t payload[4];
    put_u32(payload, strand->owed);
    strand->room += strand->owed;
    strand->owed = 0;
    line_send(strand->number, LINE_KIND_CREDIT, payload, sizeof payload);
}

/* What the descriptor takes now of `size` bytes; -1 if it takes nothing any more. */
static ssize_t write_now(struct strand *strand, const uint8_t *bytes, size_t size) {
    ssize_t put;
    do {
        put = write(strand->source.fd, bytes, size); /* SIGPIPE is blocked, as every signal is */
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno == EAGAIN) {
        return 0;
    }
    if (put > 0) {
        give_back(strand, (size_t)put);
    }
    return put;
}

/* False: nobody is there, and the strand is destroyed. */
static bool flush(struct strand *strand) {
    ssize_t put = write_now(strand, buffer_head(&strand->waiting), strand->waiting.size);
    if (put < 0) {
        break_off(strand);
        return false;
    }
    buffer_drop(&strand->waiting, (size_t)put);
    return true;
}

static void ready(struct source *source, uint32_t events) {
    struct strand *strand = OWNER(source, struct strand, source);
    if (strand->waiting.size > 0 && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && !flush(strand)) {
        return;
    }
    bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    bool reads = readable && !strand->said_end && strand->credit > 0 && !port_is_full();
    if (reads && pump(strand) < 0 && errno != EAGAIN && errno != EINTR) {
        break_off(strand);
    } else {
        settle(strand);
    }
}

bool strand_open(uint32_t number, int fd, struct source *other) {
    struct strand *strand = count < STRANDS_MOST ? calloc(1, sizeof *strand) : NULL;
    if (strand == NULL) {
        close(fd);
        return false;
    }
    if (!source_open(&strand->source, fd, ready)) {
        free(strand);
        return false;
    }
    if (other != NULL) {
        source_join(&strand->source, other);
    }
    strand->number = number;
    strand->credit = LINE_CREDIT;
    strand->room = LINE_CREDIT;
    strand->next = buckets[number % BUCKETS];
    buckets[number % BUCKETS] = strand;
    count++;
    update(strand);
    return true;
}

bool strand_data(struct strand *strand, const uint8_t *bytes, size_t size) {
    if (strand->heard_end || size > strand->room) {
        return false;
    }
    strand->room -= (uint32_t)size;
    ssize_t put = strand->waiting.size == 0 ? write_now(strand, bytes, size) : 0;
    if (put < 0 || !buffer_add(&strand->waiting, bytes + put, size - (size_t)put)) {
        break_off(strand);
    } else {
        update(strand);
        source_pass_on(&strand->source);
    }
    return true;
}

bool strand_credit(struct strand *strand, const uint8_t payload[static 4]) {
    uint32_t more = get_u32(payload);
    if (more > CREDIT_MOST - strand->credit) {
        return false;
    }
    strand->credit += more;
    update(strand);
    return true;
}

bool strand_end(struct strand *strand) {
    if (strand->heard_end) {
        return false;
    }
    strand->heard_end = true;
    settle(strand);
    return true;
}
