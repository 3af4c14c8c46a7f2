/* The frames of the line between a machine and its host. What comes is looked at, not trusted. */
#ifndef LINE_FRAME_H
#define LINE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAGIC "DEVBOXLN"

enum {
    LINE_HEADER = 8,
    LINE_DATA_MOST = 32768,
    LINE_DATA_BEST = LINE_DATA_MOST - LINE_HEADER, /* a frame is what the port takes at once */
    LINE_CREDIT = 262144, /* what each side may send of a connection before it is given more */
    LINE_MAGIC_SIZE = 8,
    LINE_NONCE = 16,
    LINE_RESET = LINE_MAGIC_SIZE + LINE_NONCE, /* its payload */
};

enum line_kind {
    LINE_KIND_RESET = 0,
    LINE_KIND_OPEN = 1,
    LINE_KIND_DATA = 2,
    LINE_KIND_CREDIT = 3,
    LINE_KIND_END = 4,
    LINE_KIND_CLOSE = 5,
};

struct line_frame {
    uint32_t number;
    uint8_t kind;
    uint16_t length;
    const uint8_t *payload; /* as much of it as is there */
};

/* Of LINE_HEADER bytes or more; false if no frame begins so. */
bool line_decode(const uint8_t *bytes, struct line_frame *frame);
/* Of one whose number is 0 and that is there whole. */
bool line_is_reset(const struct line_frame *frame);
/* For a payload of LINE_RESET bytes at most. */
void line_send(uint32_t number, enum line_kind kind, const void *payload, size_t size);
/* DATA that lies behind LINE_HEADER bytes of room at `frame`. */
void line_send_data(uint32_t number, uint8_t *frame, size_t size);

#endif
