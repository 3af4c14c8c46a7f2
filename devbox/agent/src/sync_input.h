/* Requests as they come in. They are read on while answers cannot be written, so that the client, which may be as
   single-minded, never waits for us while we wait for it. */
#ifndef SYNC_INPUT_H
#define SYNC_INPUT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next whole request without its length, valid until the next call, and its size; NULL if it is not there yet. */
uint8_t *input_next(size_t *size);
/* Whether `input_next` has one. */
bool input_is_there(void);
/* Wait, for requests or for stdout (POLLOUT) or for events (POLLIN), and read what there is. Ends the process if there
   is nothing more to come. What is known of the tree's directories is forgotten by it. */
void input_wait(short what);

#endif
