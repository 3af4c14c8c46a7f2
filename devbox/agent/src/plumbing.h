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
};

/* False and errno: nothing is left open. */
bool plumbing_open(struct plumbing *plumbing, const struct exec_message *message);
void plumbing_close_theirs(struct plumbing *plumbing);
void plumbing_close_ours(struct plumbing *plumbing);
bool plumbing_resize(int terminal, uint16_t rows, uint16_t columns);

#endif
