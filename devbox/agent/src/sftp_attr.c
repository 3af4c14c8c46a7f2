#include "sftp_attr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { LONG_NAME_MOST = 512, MODE_BITS = 07777, OWNER_WIDTH = 8, LENGTH_WIDTH = 8, LINKS_WIDTH = 4 };

static const uint32_t extended = 0x80000000U;

struct attributes request_attributes(struct request *request) {
    struct attributes found = {.flags = request_u32(request)};
    if ((found.flags & SFTP_HAS_SIZE) != 0) {
        found.size = request_u64(request);
    }
    if ((found.flags & SFTP_HAS_OWNER) != 0) {
        found.uid = request_u32(request);
        found.gid = request_u32(request);
    }
    if ((found.flags & SFTP_HAS_MODE) != 0) {
        found.mode = request_u32(request);
    }
    if ((found.flags & SFTP_HAS_TIMES) != 0) {
        found.accessed = request_u32(request);
        found.modified = request_u32(request);
    }
    uint32_t count = (found.flags & extended) != 0 ? request_u32(request) : 0;
    for (uint32_t index = 0; index < count && !request->bad; index++) {
        uint32_t size;
        request_bytes(request, &size); /* name and value of something that nobody knows */
        request_bytes(request, &size);
    }
    return found;
}

void answer_attributes(const struct stat *found) {
    answer_u32(SFTP_HAS_SIZE | SFTP_HAS_OWNER | SFTP_HAS_MODE | SFTP_HAS_TIMES);
    answer_u64((uint64_t)found->st_size);
    answer_u32(found->st_uid);
    answer_u32(found->st_gid);
    answer_u32(found->st_mode);
    answer_u32((uint32_t)found->st_atime);
    answer_u32((uint32_t)found->st_mtime);
}

static void write_mode(mode_t mode, char *at) {
    static const struct {
        mode_t kind;
        char letter;
    } kinds[] = {{S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'}, {S_IFBLK, 'b'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};
    memcpy(at, "----------", 10);
    for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; index++) {
        if ((mode & S_IFMT) == kinds[index].kind) {
            at[0] = kinds[index].letter;
        }
    }
    for (unsigned bit = 0; bit < 9; bit++) {
        if ((mode & (0400U >> bit)) != 0) {
            at[1 + bit] = "rwx"[bit % 3];
        }
    }
    if ((mode & S_ISUID) != 0) {
        at[3] = (mode & S_IXUSR) != 0 ? 's' : 'S';
    }
    if ((mode & S_ISGID) != 0) {
        at[6] = (mode & S_IXGRP) != 0 ? 's' : 'S';
    }
    if ((mode & S_ISVTX) != 0) {
        at[9] = (mode & S_IXOTH) != 0 ? 't' : 'T';
    }
}

/* A number at the right of its column; the place behind it. */
static char *write_column(char *at, uint64_t value, size_t width) {
    char room[21];
    const char *digits = text_number(room, value);
    size_t size = strlen(digits);
    *at++ = ' ';
    for (; size < width; width--) {
        *at++ = ' ';
    }
    memcpy(at, digits, size);
    return at + size;
}

static char *write_two(char *at, int value, char before) {
    *at++ = before;
    *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

static char *write_time(char *at, time_t when) {
    struct tm parts;
    if (gmtime_r(&when, &parts) == NULL || parts.tm_year < -1900 || parts.tm_year > 8099) {
        memset(&parts, 0, sizeof parts);
    }
    at = write_column(at, (uint64_t)(parts.tm_year + 1900), LINKS_WIDTH);
    at = write_two(at, parts.tm_mon + 1, '-');
    at = write_two(at, parts.tm_mday, '-');
    at = write_two(at, parts.tm_hour, ' ');
    return write_two(at, parts.tm_min, ':');
}

void answer_long_name(const struct stat *found, const char *name) {
    char line[LONG_NAME_MOST];
    write_mode(found->st_mode, line);
    char *at = write_column(line + 10, found->st_nlink, LINKS_WIDTH);
    at = write_column(at, found->st_uid, OWNER_WIDTH);
    at = write_column(at, found->st_gid, OWNER_WIDTH);
    at = write_column(at, (uint64_t)found->st_size, LENGTH_WIDTH);
    at = write_time(at, found->st_mtime);
    *at++ = ' ';
    size_t room = sizeof line - (size_t)(at - line);
    size_t size = strnlen(name, room); /* a name has at most 255 bytes */
    memcpy(at, name, size);
    answer_bytes(line, (size_t)(at - line) + size);
}

static int set_size(const struct attributes *attributes, int fd, const char *path) {
    if (attributes->size > INT64_MAX) {
        errno = EINVAL;
        return -1;
    }
    return fd >= 0 ? ftruncate(fd, (off_t)attributes->size) : truncate(path, (off_t)attributes->size);
}

static int set_mode(const struct attributes *attributes, int fd, const char *path, int flags) {
    mode_t mode = attributes->mode & MODE_BITS;
    return fd >= 0 ? fchmod(fd, mode) : fchmodat(AT_FDCWD, path, mode, flags);
}

static int set_times(const struct attributes *attributes, int fd, const char *path, int flags) {
    struct timespec times[2] = {{.tv_sec = attributes->accessed}, {.tv_sec = attributes->modified}};
    return fd >= 0 ? futimens(fd, times) : utimensat(AT_FDCWD, path, times, flags);
}

static int set_owner(const struct attributes *attributes, int fd, const char *path, int flags) {
    uid_t uid = attributes->uid;
    gid_t gid = attributes->gid;
    return fd >= 0 ? fchown(fd, uid, gid) : fchownat(AT_FDCWD, path, uid, gid, flags);
}

static void keep_first(int result, int *error) {
    if (result != 0 && *error == 0) {
        *error = errno;
    }
}

/* All that was asked for is tried, whatever fails; the owner comes before the mode, which it would cut. */
int attributes_apply(const struct attributes *attributes, int fd, const char *path, int follow) {
    int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    int error = 0;
    if ((attributes->flags & SFTP_HAS_SIZE) != 0) {
        keep_first(set_size(attributes, fd, path), &error);
    }
    if ((attributes->flags & SFTP_HAS_OWNER) != 0) {
        keep_first(set_owner(attributes, fd, path, flags), &error);
    }
    if ((attributes->flags & SFTP_HAS_MODE) != 0) {
        keep_first(set_mode(attributes, fd, path, flags), &error);
    }
    if ((attributes->flags & SFTP_HAS_TIMES) != 0) {
        keep_first(set_times(attributes, fd, path, flags), &error);
    }
    errno = error;
    return error == 0 ? 0 : -1;
}
