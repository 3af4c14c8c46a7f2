/* `agent wake`: what a machine that was saved cannot know when it goes on: the time, and that it may not be alone. */
#ifndef WAKE_H
#define WAKE_H

/* The clock becomes `nanoseconds` since 1970, decimal, and the 64 bytes that stdin has are mixed into the kernel's random
 * numbers; all or, if either is not given, nothing. The exit code. */
int wake(const char *nanoseconds);

#endif
