#include "line_frame.h"

#include <string.h>

#include "message.h"
#include "port.h"

bool line_decode(const uint8_t *bytes, struct line_frame *frame) {
    frame->number = get_u32(bytes);
    frame->kind = bytes[4];
    frame->length = (uint16_t)(bytes[6] | bytes[7] << 8);
    frame->payload = bytes + LINE_HEADER;
    return bytes[5] == 0 && frame->kind <= LINE_KIND_CLOSE && frame->length <= LINE_DATA_MOST;
}

bool line_is_reset(const struct line_frame *frame) {
    return frame->kind == LINE_KIND_RESET && frame->length == LINE_RESET &&
           memcmp(frame->payload, LINE_MAGIC, LINE_MAGIC_SIZE) == 0;
}

static void put_header(uint8_t *frame, uint32_t number, enum line_kind kind, size_t size) {
    put_u32(frame, number);
    frame[4] = (uint8_t)kind;
    frame[5] = 0;
    frame[6] = (uint8_t)size;
    frame[7] = (uint8_t)(size >> 8);
}

void line_send(uint32_t number, enum line_kind kind, const void *payload, size_t size) {
    uint8_t frame[LINE_HEADER + LINE_RESET];
    put_header(frame, number, kind, size);
    if (size > 0) {
        memcpy(frame + LINE_HEADER, payload, size);
    }
    port_send(frame, LINE_HEADER + size);
}

void line_send_data(uint32_t number, uint8_t *frame, size_t size) {
    put_header(frame, number, LINE_KIND_DATA, size);
    port_send(frame, LINE_HEADER + size);
}
