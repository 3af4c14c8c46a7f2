/* Paths beneath the root. No link in one is followed, whatever becomes of the tree meanwhile. */
#ifndef SYNC_PATHS_H
#define SYNC_PATHS_H

#include <stdbool.h>

#include "message.h"

/* The root's descriptor, or -1 and errno. */
int paths_open_root(const char *root);
/* Names that honest sides have, with "/" between them. "" is none. */
bool path_is_good(const char *path);
/* A path as it stands in a request; one that is not good makes it bad. */
char *read_path(struct reader *reader);

/* A name, and a descriptor of the directory that it is in: -1 and errno if that is not there. The descriptor is good
   until something is answered. */
struct place {
    int parent;
    const char *name;
};

struct place path_place(const char *path);
/* A descriptor of what is at a path ("": the root), with `flags` of open; -1 and errno. */
int path_open(const char *path, int flags);
/* The same while a `place` is in use; always -1 where the kernel has no openat2. */
int path_open_apart(const char *path, int flags);
/* As `path_open`, of directories that are made where they are missing. The last name of `path` is left out. */
int path_make_parents(const char *path);
void paths_forget(void);
/* If the path is the root: it is still where it was. Else the process ends, as there is nothing left to serve. */
void paths_require(const char *path);
/* Whether this errno says that a directory of the path is not there, or is none. */
bool path_is_gone(int error);

#endif
