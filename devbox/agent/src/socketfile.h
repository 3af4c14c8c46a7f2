/* A unix socket made, and removed, with the rights of a user alone. */
#ifndef SOCKETFILE_H
#define SOCKETFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "address.h"
#include "userdb.h"

struct socketfile {
    struct user user;
    struct address address; /* its path is where it lies */
    bool own_directory;     /* the directory was made for it */
    dev_t device;           /* with `inode`: what was made, and alone is removed */
    ino_t inode;
};

/* Bind `fd` to `address`. False and errno: nothing was left. */
bool socketfile_make(struct socketfile *file, int fd);
void socketfile_remove(const struct socketfile *file);

#endif
