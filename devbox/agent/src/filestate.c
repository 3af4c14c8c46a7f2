#include "filestate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "message.h"

enum { ANSWER_SIZE = 32, SECOND = 1000000000 };

/* Since 1970; what was before is 0, and what a number does not hold (2554) the largest. */
static uint64_t nanoseconds(const struct timespec *time) {
    if (time->tv_sec < 0) {
        return 0;
    }
    if ((uint64_t)time->tv_sec >= UINT64_MAX / SECOND) {
        return UINT64_MAX;
    }
    return (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

void filestate_answer(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    struct stat_message message;
    if (!decode_stat(payload, size, &message)) {
        connection_violation(connection, "bad STAT");
        return;
    }
    struct stat found = {0};
    int flags = AT_NO_AUTOMOUNT | ((message.flags & STAT_NO_FOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0);
    int error = message.path[0] == '/' ? 0 : EINVAL;
    if (error == 0 && fstatat(AT_FDCWD, message.path, &found, flags) != 0) {
        error = errno;
        found = (struct stat){0};
    }
    uint8_t bytes[ANSWER_SIZE];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    write_u32(&writer, (uint32_t)error);
    write_u32(&writer, found.st_mode);
    write_u32(&writer, found.st_uid);
    write_u32(&writer, found.st_gid);
    write_u64(&writer, (uint64_t)found.st_size);
    write_u64(&writer, nanoseconds(&found.st_mtim));
    connection_send(connection, channel, FRAME_STAT, bytes, writer.size);
}
