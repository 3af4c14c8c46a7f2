/* The guest's end of the line: many connections from the host over the one port of a machine, none of which holds up
   another. The protocol is in docs/reference/agent-protocol.md. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>

#include "loop.h"

/* Serve the port at `path`. `reach` has to return, for each connection from the host, a nonblocking descriptor that
   leads on, or -1; and in `other` its other end, if that is of this process. False and errno: it cannot be opened now. */
bool line_open(const char *path, int (*reach)(struct source **other));

#endif
