/* Whether a sync program has anything to tell that its client has not been told of, found out without asking it. */
#ifndef QUIET_H
#define QUIET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct plumbing;

/* A sync program. `queue` and `idle`: see plumbing.h; `idle` NULL: it is none. */
struct quiet {
    struct quiet *next;
    int queue;
    uint32_t *idle;
    int out;        /* where its words are read, as long as it is not over */
    uint32_t told;  /* bytes that were read there so far */
    pid_t pid;
};

void quiet_add(struct quiet *quiet, const struct plumbing *plumbing, pid_t pid);
/* It is over: what it has is closed. */
void quiet_remove(struct quiet *quiet);
/* If there is just one, and nothing has happened that is not among the bytes that it told: its number and how many
   those are, as EXIT has it. The size of that, or 0. */
size_t quiet_say(uint8_t bytes[static 8]);

#endif
