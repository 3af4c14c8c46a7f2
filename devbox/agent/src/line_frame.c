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

void line_send(uint32_t number, enum line_kind kind, const void *payload, size_t size) {
    uint8_t header[LINE_HEADER] = {0};
    put_u32(header, number);
    header[4] = (uint8_t)kind;
    header[6] = (uint8_t)size;
    header[7] = (uint8_t)(size >> 8);
    port_send(header, sizeof header);
    port_send(payload, size);
}
