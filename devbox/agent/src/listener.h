/* LISTEN: a socket inside that waits for connections, each of which becomes a channel. */
#ifndef LISTENER_H
#define LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"

void listener_open(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size);

#endif
