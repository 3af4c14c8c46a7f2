#include "filestate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "message.h"

enum { ANSWER_SIZE = 32 };

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
    int64_t nanoseconds = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
    uint8_t bytes[ANSWER_SIZE];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    write_u32(&writer, (uint32_t)error);
    write_u32(&writer, found.st_mode);
    write_u32(&writer, found.st_uid);
    write_u32(&writer, found.st_gid);
    write_u64(&writer, (uint64_t)found.st_size);
    write_u64(&writer, nanoseconds > 0 ? (uint64_t)nanoseconds : 0);
    connection_send(connection, channel, FRAME_STAT, bytes, writer.size);
}
