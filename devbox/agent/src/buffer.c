#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 512 };

static bool grow(struct buffer *buffer, size_t needed) {
    size_t room = buffer->room > SMALLEST ? buffer->room : SMALLEST;
    while (room < needed) {
        room *= 2;
    }
    uint8_t *bytes = malloc(room);
    if (bytes == NULL) {
        return false;
    }
    if (buffer->size > 0) {
        memcpy(bytes, buffer->bytes + buffer->start, buffer->size);
    }
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->start = 0;
    buffer->room = room;
    return true;
}

bool buffer_add(struct buffer *buffer, const void *bytes, size_t size) {
    if (size == 0) {
        return true;
    }
    if (buffer->size + size > buffer->room) {
        if (!grow(buffer, buffer->size + size)) {
            return false;
        }
    } else if (buffer->start + buffer->size + size > buffer->room) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->size);
        buffer->start = 0;
    }
    memcpy(buffer->bytes + buffer->start + buffer->size, bytes, size);
    buffer->size += size;
    return true;
}

const uint8_t *buffer_head(const struct buffer *buffer) {
    return buffer->bytes + buffer->start;
}

void buffer_drop(struct buffer *buffer, size_t size) {
    buffer->start += size;
    buffer->size -= size;
    if (buffer->size == 0) {
        buffer_free(buffer);
    }
}

void buffer_free(struct buffer *buffer) {
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}
