/* CONNECT, and what was ACCEPTED: a socket inside and the channel that it is joined to. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

void relay_connect(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size);
/* Join a connected, non-blocking stream socket, which it takes over, to a new channel. False: no memory. */
bool relay_adopt(struct connection *connection, uint32_t channel, uint32_t window, int fd);

#endif
