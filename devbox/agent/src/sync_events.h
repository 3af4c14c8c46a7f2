/* What happens in the directories that a client wants to be told of. A file that is being written is told of when its
   writer closes it, or a tenth of a second after he began. */
#ifndef SYNC_EVENTS_H
#define SYNC_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

/* Have them from this inotify instance (-1: none), and say in `idle` whether there is nothing to say. */
void events_begin(int queue, uint32_t *idle);
/* We wait now, for whatever comes; or no longer. */
void events_rest(bool rests);
/* Tell of this directory from now on; its number, or -1: there can be no more of them. */
int events_watch(int directory);
/* Say all that has happened until now. */
void events_tell(void);
/* The same, and what is held back. */
void events_settle(void);
/* How many milliseconds until there is something to say that was held back; -1: there is nothing. */
int events_patience(void);
/* What is readable when something has; -1 while there is nothing to tell of. */
int events_descriptor(void);

#endif
