/* Starting a process as a user: everything between fork and exec. */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "message.h"

enum { SPAWN_REPORT = 3, SPAWN_PASSED };

struct spawn {
    struct exec_message *message;
    /* Each above 2: stdin, stdout, stderr of the child, and where it says what went wrong, which is closed by exec. */
    int descriptors[SPAWN_PASSED];
    int queue;          /* of a sync program: see plumbing.h */
    uint32_t *idle;
    bool terminal;      /* descriptors[0] becomes its controlling terminal */
    bool placed;        /* they are where they are to be: see spawn_place */
};

/* What the child writes to `report`, in this order: stage 0 with its uid, then at most one failure with its errno. */
struct spawn_report {
    uint32_t stage;
    uint32_t value;
};

/* Remember what the agent was started with, for its children, and take more descriptors for itself. */
bool spawn_prepare(void);
/* The pid, or -1 and errno. */
pid_t spawn_start(const struct spawn *spawn);

/* What spawn_start does in its child, in a process that first waits for what it is to become: all that is the same for
   each; then to have no descriptor above 2 but this one, which is SPAWN_KEPT from then on; and the rest. Between them
   what most programs will need can be done: `descriptors` where they are to be, for this user if it is known. */
enum { SPAWN_KEPT = 3 };
void spawn_begin(void);
void spawn_keep(int descriptor);
void spawn_place(const int descriptors[static SPAWN_PASSED], const char *user);
/* Begin again, where another one has had this memory: `own` is the environment that it had. */
void spawn_afresh(char **own);
_Noreturn void spawn_become(const struct spawn *spawn);

#endif
