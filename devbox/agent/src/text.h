/* Text without stdio, which would be a third of the program. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The decimal digits of `value` and a NUL, in `room`; the place where they begin. */
char *text_number(char room[static 21], uint64_t value);
/* All of the NULL-terminated list of strings, to a descriptor; what cannot be written is not said. */
void text_say(int fd, const char *const *parts);
/* `parts` one after another into `room` of `size`; 0 if they do not fit, else 1. */
int text_join(char *room, size_t size, const char *const *parts);

#endif
