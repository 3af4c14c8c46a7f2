/* One connection of the line: a descriptor here, frames there, and what each side may still send. */
#ifndef STRAND_H
#define STRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct strand;

/* Takes the descriptor over. `other`: see `line_open`. False: there is no place for it; it was closed. */
bool strand_open(uint32_t number, int fd, struct source *other);
struct strand *strand_find(uint32_t number);
/* What a frame says. False if it is outside of the protocol; all may destroy the strand. */
bool strand_data(struct strand *strand, const uint8_t *bytes, size_t size);
bool strand_credit(struct strand *strand, const uint8_t payload[static 4]);
bool strand_end(struct strand *strand);
/* Says nothing to the other side. */
void strand_destroy(struct strand *strand);
/* The same of all. */
void strands_forget(void);
/* The port has room again. */
void strands_resume(void);

#endif
