/* What listens inside, and small facts about sockets. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

/* No waiting for more to send. */
void sockets_be_prompt(int fd);
/* True if a UDP socket that is not connected is bound to `port` by IPv4 (4) or IPv6 (6). */
bool sockets_bound_udp(int family, uint16_t port);
/* LISTENERS. */
void sockets_answer(struct connection *connection, uint32_t channel, size_t payload_size);

#endif
