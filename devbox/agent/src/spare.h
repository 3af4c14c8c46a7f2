/* One process that waits to become the next program, so that nobody waits for fork: a fifth of a program's start by
   emulation. It is a session of its own, and has what most programs are given: pipes, and the user of the one before.
   It is born by another one, the zygote, whose memory it has until it becomes a program: none is copied page by page, and
   none is to be given back before the program begins. */
#ifndef SPARE_H
#define SPARE_H

#include <sys/types.h>

#include "plumbing.h"
#include "spawn.h"

/* Have one in a moment, in a machine, for a program of this user. If it cannot be had, the next is started without. */
void spare_soon(const char *user);
/* Both go: what it would become has changed, such as the agent's environment. */
void spare_drop(void);
/* As `launch`, by the process that waits, with the pipes that it has; -1: there is none for this. */
pid_t spare_plumbed(struct exec_message *message, struct plumbing *plumbing);
/* As spawn_start, by the process that waits; -1: there is none for this. */
pid_t spare_start(const struct spawn *spawn);

#endif
