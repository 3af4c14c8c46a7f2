/* EXEC: a process and the channel that it speaks through. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"

void process_exec(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size);

#endif
