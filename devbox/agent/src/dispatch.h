/* From a frame to what it does. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include <stdint.h>

#include "connection.h"
#include "message.h"

/* Handle one frame of a client that has been let in. `payload` may be changed. */
void dispatch(struct connection *connection, const struct header *header, uint8_t *payload);

#endif
