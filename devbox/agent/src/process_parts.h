/* A process that is started, shared by what starts it and what goes on with it. */
#ifndef PROCESS_PARTS_H
#define PROCESS_PARTS_H

#include <stdbool.h>

#include "channel.h"
#include "output.h"
#include "quiet.h"
#include "sessions.h"
#include "spawn.h"

struct process {
    struct channel channel;
    struct session *session; /* NULL once reaped */
    struct waiter waiter;
    struct source start; /* the child's way to say that it has come to exec, or why not */
    struct timer look;   /* when it is looked at though nobody asks */
    struct source in;   /* closed with a terminal */
    struct output out;  /* with a terminal its source is both directions */
    struct output err;
    struct sink sink;
    struct quiet quiet;
    struct spawn_report failure;
    bool terminal;
    bool detached;
    bool user_known;
    bool started;
    bool early;   /* nothing has been looked at yet */
    bool blocked; /* no credit or a full socket */
    bool closed;  /* by CLOSE */
    bool reaped;
    int status;
};

/* process.c: want what is wanted now; free it; go on after some output. */
void process_update(struct process *process);
void process_destroy(struct process *process);
void process_after_pump(struct process *process);

/* process_start.c: whether it has come to exec, which its client is told before all else of it. */
void process_start_ready(struct source *source, uint32_t events);
/* Do not wake up for that: most programs end soon, and both is said at once. Their output, or a little time, asks. */
void process_leave(struct process *process);
void process_ask(struct process *process);
/* There is some output, or nobody who could write any more. */
void process_first(struct process *process, struct source *source, uint32_t events);
/* Read what the child has said so far. May destroy the process. */
void process_hear(struct process *process);
void process_cease(struct process *process);

#endif
