/* What a file that is written shall be, and where. */
#ifndef SYNC_WRITE_H
#define SYNC_WRITE_H

#include "sync_place.h"

struct target {
    const char *path;
    struct expected expected;
    const uint8_t *digest;
    bool executable;
    int64_t mtime;
    const char *keep;
};

struct target read_target(struct reader *reader);
/* A path in the trash, or "". */
char *read_keep(struct reader *reader);
/* The mode that it shall have: that of the file it replaces, but for who may execute it. */
mode_t target_mode(const struct target *target);
/* Give it its owner, mode and time; 0, or -1 and errno. */
int target_dress(const struct target *target, const struct place *place, int fd);
/* Have what is under `temporary`, `size` bytes, in place; answers. */
void target_place(const struct target *target, const struct place *place, const char *temporary, int fd,
                  uint64_t size);

#endif
