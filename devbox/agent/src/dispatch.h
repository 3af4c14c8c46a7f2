/* From a client that comes, and each frame of it, to what it does. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include <stdbool.h>

/* Takes a client's descriptor over. False: no memory or too many clients; it was closed. */
bool dispatch_open(int fd);

#endif
