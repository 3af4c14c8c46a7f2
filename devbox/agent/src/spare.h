/* One process that waits to become the next program, so that nobody waits for fork: a fifth of a program's start by
   emulation. It is a session of its own, and has no descriptor but the way to it and the agent's first three. */
#ifndef SPARE_H
#define SPARE_H

#include <sys/types.h>

#include "spawn.h"

/* Have one in a moment, in a machine. If it cannot be had, the next program is started without. */
void spare_soon(void);
/* It goes: what it would become has changed, such as the agent's environment. */
void spare_drop(void);
/* As spawn_start, by the process that waits; -1: there is none for this. */
pid_t spare_start(const struct spawn *spawn);

#endif
