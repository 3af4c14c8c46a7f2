/* STAT. */
#ifndef FILESTATE_H
#define FILESTATE_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"

void filestate_answer(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size);

#endif
