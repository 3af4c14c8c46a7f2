#include "line.h"

#include <string.h>

#include "line_frame.h"
#include "port.h"
#include "strand.h"

static int (*reach)(struct source **other);
static bool lost = true; /* what comes is looked through for a RESET */

static void send_reset(const uint8_t nonce[static LINE_NONCE]) {
    uint8_t payload[LINE_RESET];
    memcpy(payload, LINE_MAGIC, LINE_MAGIC_SIZE);
    memcpy(payload + LINE_MAGIC_SIZE, nonce, LINE_NONCE);
    line_send(0, LINE_KIND_RESET, payload, sizeof payload);
}

/* Nothing is known of what is open over there: whoever is there shall begin anew. */
static void begin_anew(void) {
    static const uint8_t unasked[LINE_NONCE];
    strands_forget();
    lost = true;
    send_reset(unasked);
}

/* Of a frame that the agent before us, or we, were in the middle of, the host still waits for the rest, and would take
   our RESET for it. So much ends the longest, and begins none. */
static void send_filler(void) {
    static uint8_t filler[LINE_HEADER + LINE_DATA_MOST];
    memset(filler, 0xff, sizeof filler);
    port_send(filler, sizeof filler);
}

static void came(void) {
    send_filler();
    begin_anew();
}

static void went(void) {
    strands_forget();
    lost = true;
}

static void open_strand(uint32_t number) {
    struct source *other = NULL;
    int fd = reach(&other);
    if (fd < 0 || !strand_open(number, fd, other)) {
        line_send(number, LINE_KIND_CLOSE, NULL, 0);
    }
}

/* False if it is outside of the protocol. Frames for what has ended a moment before are dropped. */
static bool take_of_strand(const struct line_frame *frame) {
    struct strand *strand = strand_find(frame->number);
    switch (frame->kind) {
    case LINE_KIND_DATA:
        return strand == NULL || strand_data(strand, frame->payload, frame->length);
    case LINE_KIND_CREDIT:
        return frame->length == 4 && (strand == NULL || strand_credit(strand, frame->payload));
    case LINE_KIND_END:
        return frame->length == 0 && (strand == NULL || strand_end(strand));
    case LINE_KIND_CLOSE:
        if (strand != NULL) {
            strand_destroy(strand);
        }
        return frame->length == 0;
    default:
        return false;
    }
}

static bool take(const struct line_frame *frame) {
    if (frame->number == 0) {
        if (!line_is_reset(frame)) {
            return false;
        }
        strands_forget();
        send_reset(frame->payload + LINE_MAGIC_SIZE);
        return true;
    }
    if (frame->kind != LINE_KIND_OPEN) {
        return take_of_strand(frame);
    }
    if (frame->length != 0 || strand_find(frame->number) != NULL) {
        return false;
    }
    open_strand(frame->number);
    return true;
}

/* The number of bytes before the next whole RESET, or of those that can be no part of one. */
static size_t skip_to_reset(const uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (size - at >= LINE_HEADER + LINE_RESET) {
        struct line_frame frame;
        if (line_decode(bytes + at, &frame) && frame.number == 0 && line_is_reset(&frame)) {
            lost = false;
            break;
        }
        at++;
    }
    return at;
}

static size_t use_bytes(uint8_t *bytes, size_t size) {
    size_t done = lost ? skip_to_reset(bytes, size) : 0;
    while (!lost && size - done >= LINE_HEADER) {
        struct line_frame frame;
        bool good = line_decode(bytes + done, &frame);
        if (good && size - done < LINE_HEADER + (size_t)frame.length) {
            break;
        }
        if (good && take(&frame)) {
            done += LINE_HEADER + (size_t)frame.length;
        } else {
            begin_anew();
            done += skip_to_reset(bytes + done, size - done);
        }
    }
    return done;
}

static const struct port_events events = {.came = came, .went = went, .bytes = use_bytes, .room = strands_resume};

bool line_open(const char *path, int (*leads)(struct source **other)) {
    reach = leads;
    return port_open(path, &events);
}
