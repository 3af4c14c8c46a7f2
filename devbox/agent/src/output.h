/* What a process writes, on its way to the client. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "loop.h"

struct output {
    struct source source;
    uint8_t type;  /* of the frames */
    bool terminal; /* kept open to its end: input goes there too */
    bool over;     /* nothing of it will be sent any more */
    bool ended;    /* its process has */
    size_t left;   /* once that has: what may still be its own */
};

/* Send what is there, as one frame. False: no credit or a full socket; the channel will be resumed. */
bool output_pump(struct output *output, struct channel *channel);
/* Its process has ended: what others write from now on is not sent. */
void output_ended(struct output *output);

#endif
