/* The sync program: one directory in the hands of a client (docs/reference/sync-protocol.md). */
#ifndef SYNC_H
#define SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Serve `root` on stdin and stdout with the rights of this process; the exit code. `queue`, `idle`: see plumbing.h. */
int sync_serve(const char *root, int queue, uint32_t *idle);
/* Have `root` as the directory that requests are about, and say hello. False: it cannot be, which is said too. */
bool sync_begin(const char *root);
/* Handle one request, whole but for its length; it is changed. */
void sync_handle(uint8_t *bytes, size_t size);

#endif
