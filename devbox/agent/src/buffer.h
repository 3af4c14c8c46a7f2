/* Bytes that wait for their reader. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. Its memory is given back whenever it becomes empty. */
struct buffer {
    uint8_t *bytes;
    size_t start;
    size_t size;
    size_t room;
};

/* False if there is no memory; nothing was added then. */
bool buffer_add(struct buffer *buffer, const void *bytes, size_t size);
const uint8_t *buffer_head(const struct buffer *buffer);
void buffer_drop(struct buffer *buffer, size_t size);
void buffer_free(struct buffer *buffer);

#endif
