/* The machine as the fuzzed sources see it. Paths are told apart by their length, so that the same input always does
   the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

static const uint8_t *files[TAME_FILES];
static size_t sizes[TAME_FILES];

void tame_set(enum tame_file file, const uint8_t *bytes, size_t size) {
    files[file] = bytes;
    sizes[file] = size;
}

static enum tame_file which(const char *path) {
    if (strcmp(path, "/etc/passwd") == 0) {
        return TAME_PASSWD;
    }
    return strcmp(path, "/etc/group") == 0 ? TAME_GROUP : TAME_OTHER;
}

static int decide(const char *path) {
    errno = strlen(path) % 8 == 7 ? EACCES : ENOENT;
    return strlen(path) % 4 == 3 ? -1 : 0;
}

int tame_open(const char *path, int flags, ...) {
    (void)flags;
    if (strcmp(path, "/dev/null") == 0) {
        return open(path, O_RDWR | O_CLOEXEC);
    }
    enum tame_file file = which(path);
    int fd = decide(path) == 0 || file != TAME_OTHER ? memfd_create("input", MFD_CLOEXEC) : -1;
    if (fd >= 0 && sizes[file] > 0 && write(fd, files[file], sizes[file]) == (ssize_t)sizes[file]) {
        lseek(fd, 0, SEEK_SET);
    }
    return fd;
}

DIR *tame_opendir(const char *path) {
    return decide(path) == 0 ? opendir("/proc/self/task") : NULL;
}

int tame_one(const char *path) {
    return decide(path);
}

int tame_descriptor(int fd) {
    errno = EPERM;
    return fd % 4 == 3 ? -1 : 0;
}

int tame_two(const char *first, const char *second) {
    return decide(first) == 0 ? decide(second) : -1;
}

char *tame_realpath(const char *path, char *room) {
    size_t size = strlen(path);
    if (size >= PATH_MAX - 1 || decide(path) != 0) {
        return NULL;
    }
    room[0] = '/';
    memcpy(room + 1, path, size + 1);
    return room;
}

ssize_t tame_readlink(const char *path, char *room, size_t size) {
    if (decide(path) != 0) {
        return -1;
    }
    memset(room, 'x', size);
    return (ssize_t)(strlen(path) % 2 == 0 ? size : size / 2);
}

long tame_syscall(long number, ...) {
    (void)number;
    errno = EACCES;
    return -1;
}
