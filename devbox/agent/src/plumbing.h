/* The pipes or the pty between the agent and a process that it starts. */
#ifndef PLUMBING_H
#define PLUMBING_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

/* -1: none. Ours do not block; with a terminal ours[0] is its other side, and ours[1], ours[2] are -1. */
struct plumbing {
    int ours[3];
    int theirs[3];
    int report; /* ours, to read from */
    int report_theirs;
    /* Of a sync program, that is to be asked nothing: the events that it has not read yet, -1 if it can have none, and
       whether it has told of all that it has read, and rests. Both are its own as well. */
    int queue;
    uint32_t *idle;
};

/* False and errno: nothing is left open. */
bool plumbing_open(struct plumbing *plumbing, const struct exec_message *message);
void plumbing_close_theirs(struct plumbing *plumbing);
void plumbing_close_ours(struct plumbing *plumbing);
void plumbing_close_watch(int queue, uint32_t *idle);
bool plumbing_resize(int terminal, uint16_t rows, uint16_t columns);

#endif
