/* From a client that comes, and each frame of it, to what it does. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "loop.h"

/* Takes a client's descriptor over; what became of it. NULL: no memory or too many clients; it was closed. */
struct source *dispatch_open(int fd);

#endif
