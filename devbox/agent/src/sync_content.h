/* The content of files that are there. */
#ifndef SYNC_CONTENT_H
#define SYNC_CONTENT_H

#include <sys/types.h>

#include "sync_packet.h"

/* A descriptor of the file, if it is the expected one (or any, which is the expected one from then on); else -1 and
   the answer has been said. */
int content_open(const char *path, struct expected *expected);
/* As pread, all of it; short at the end of the file only. */
ssize_t content_read(int fd, uint8_t *bytes, size_t size, uint64_t offset);
/* As pwrite, all of it: 0, or -1 and errno. */
int content_write(int fd, const uint8_t *bytes, size_t size, uint64_t offset);
/* The digest of `size` bytes from `offset` on, or of what is there of them; false: errno. Tells events meanwhile. */
bool content_digest(int fd, uint64_t offset, uint64_t size, uint8_t digest[static BLAKE2B_SIZE]);

#endif
