/* Where clients come in: the socket, its place, and who may use it. */
#ifndef DOOR_H
#define DOOR_H

#include <stdbool.h>

/* Make /run/devbox root's own with mode 0700. False and errno. */
bool door_close_directory(void);
/* Listen at `path`; `inside`: for peers of this pid namespace with uid 0. False and errno. */
bool door_open(const char *path, bool inside);
/* Remove the socket. */
void door_remove(void);
/* A connection to the socket at `path`, or -1 and errno. */
int door_connect(const char *path);

#endif
