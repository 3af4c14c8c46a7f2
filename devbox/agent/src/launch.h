/* A child and the plumbing to it, both or none. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/types.h>

#include "message.h"
#include "plumbing.h"

/* The child's pid, and `plumbing` is what it was not given of it; or -1 and errno, and nothing is left open. */
pid_t launch(struct exec_message *message, struct plumbing *plumbing);

#endif
