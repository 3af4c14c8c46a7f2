/* SFTP file attributes. */
#ifndef SFTP_ATTR_H
#define SFTP_ATTR_H

#include <stdint.h>
#include <sys/stat.h>

#include "sftp_packet.h"

enum sftp_attr_flag {
    SFTP_HAS_SIZE = 1,
    SFTP_HAS_OWNER = 2,
    SFTP_HAS_MODE = 4,
    SFTP_HAS_TIMES = 8,
};

struct attributes {
    uint32_t flags;
    uint64_t size;
    uint32_t uid;
    uint32_t gid;
    uint32_t mode;
    uint32_t accessed;
    uint32_t modified;
};

struct attributes request_attributes(struct request *request);
void answer_attributes(const struct stat *found);
/* The line of `ls -l` that a client shows as it is. */
void answer_long_name(const struct stat *found, const char *name);
/* Make it so, at the path (`fd` -1) or of the open file. 0, or -1 and errno of the first that failed. */
int attributes_apply(const struct attributes *attributes, int fd, const char *path, int follow);

#endif
