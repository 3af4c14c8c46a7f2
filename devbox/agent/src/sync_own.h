/* What is ours in a root: `.devbox` with its nonce and its trash, and the temporary names beside what is being made. */
#ifndef SYNC_OWN_H
#define SYNC_OWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "blake2b.h"
#include "message.h"
#include "sync_paths.h"

enum { OWN_TEMPORARY = 12 + 32 + 1 };

/* A new temporary name. */
void own_temporary(char name[static OWN_TEMPORARY]);
/* The one that what is to be at `path` with this digest always has. */
void own_resumable(char name[static OWN_TEMPORARY], const char *path, const uint8_t digest[static BLAKE2B_SIZE]);
bool own_is_temporary(const char *name);

/* Move something into the trash: 0, or -1 and errno. */
int own_keep(int parent, const char *name, const char *keep);
/* The same for what nobody expected, in a directory of its own; `as` is what it was called. */
void own_rescue(int parent, const char *name, const char *as);
/* Give something new to whom the root belongs, if that is not us who may; as fchownat: 0, or -1 and errno. */
int own_give(int at, const char *name);
/* What root this is, for HELLO. */
void own_identity(struct writer *writer, int root);
void sync_mark(struct reader *reader);

#endif
