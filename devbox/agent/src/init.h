/* The duties of process 1: reaping, signals, a clean end. On a host, in tests, the same for what it started. */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>

bool init_is_first(void);
/* Block all signals and read them from the loop instead. False and errno. */
bool init_open(void);
/* The end was asked for: nothing is started any more. */
bool init_is_ending(void);
/* The end has come. */
bool init_has_ended(void);

#endif
