/* `agent settle here`: what a machine is told is carried out by its agent itself, between two of its turns.
 *
 * Only so can it be told that it is another one from now on. Nobody else is served meanwhile. To the client it is a
 * process like any other, with the facts as its stdin, words on stderr and an exit code. */
#ifndef SETTLING_H
#define SETTLING_H

#include <stdbool.h>

#include "connection.h"
#include "message.h"

/* It is what this message asks for, and this is the agent of a machine. */
bool settling_is(const struct exec_message *message);
void settling_open(struct connection *connection, uint32_t number, uint32_t window);

#endif
