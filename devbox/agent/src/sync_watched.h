/* The directories of the watches, so that what happened to a small file can be told with its content. */
#ifndef SYNC_WATCHED_H
#define SYNC_WATCHED_H

#include <stdbool.h>

/* The open directory at `path` has this watch, and whoever watches wants contents. */
void watched_keep(int number, int directory, const char *path);
void watched_drop(int number);
/* Say this file with its content, if it is small, whole, news to the client, and not too much for this moment. */
bool watched_say(int number, const char *name);

#endif
