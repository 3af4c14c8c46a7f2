#include "sync_watched.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sync_content.h"
#include "sync_packet.h"
#include "sync_paths.h"

enum {
    FILE_MOST = 32768,
    BUDGET = 65536, /* bytes in one SPAN_MS: the rest is asked for, by whoever wants it */
    COST = 1024,    /* of any file, also of one that is looked at in vain */
    SPAN_MS = 200,
    SECOND_MS = 1000,
    MILLISECOND_NS = 1000000,
    NUMBERS_MOST = 1 << 20,
    PATHS_MOST = 4 << 20, /* bytes */
};

struct watched {
    dev_t device;
    ino_t inode;
    char *path;
};

static struct watched *all;
static size_t room;
static size_t paths_size;
static size_t budget;
static int64_t budget_of; /* the span that it is for */

static bool make_room(size_t number) {
    if (number < room) {
        return true;
    }
    size_t more = number < 64 ? 128 : number < NUMBERS_MOST / 2 ? number * 2 : NUMBERS_MOST;
    struct watched *grown = number < NUMBERS_MOST ? realloc(all, more * sizeof *all) : NULL;
    if (grown == NULL) {
        return false;
    }
    memset(grown + room, 0, (more - room) * sizeof *grown);
    all = grown;
    room = more;
    return true;
}

void watched_drop(int number) {
    if (number >= 0 && (size_t)number < room && all[number].path != NULL) {
        paths_size -= strlen(all[number].path);
        free(all[number].path);
        all[number].path = NULL;
    }
}

void watched_keep(int number, int directory, const char *path) {
    struct stat found;
    watched_drop(number);
    if (number < 0 || paths_size > PATHS_MOST || !make_room((size_t)number) || fstat(directory, &found) != 0) {
        return;
    }
    struct watched *one = &all[number];
    *one = (struct watched){.device = found.st_dev, .inode = found.st_ino, .path = strdup(path)};
    paths_size += one->path != NULL ? strlen(path) : 0;
}

/* What is at the path may be another directory by now. */
static int open_watched(int number) {
    struct stat found;
    const struct watched *one = number >= 0 && (size_t)number < room ? &all[number] : NULL;
    if (one == NULL || one->path == NULL) {
        return -1;
    }
    int fd = path_open_apart(one->path, O_PATH | O_DIRECTORY);
    if (fd >= 0 && (fstat(fd, &found) != 0 || found.st_ino != one->inode || found.st_dev != one->device)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool is_small_news(const struct stat *found) {
    return S_ISREG(found->st_mode) && found->st_size <= FILE_MOST && (size_t)found->st_size <= budget &&
           !is_known_to_client(found);
}

static void say(int number, const char *name, const struct stat *found, const uint8_t *bytes) {
    struct writer *writer = frame_begin(0, SYNC_FILE);
    write_u32(writer, (uint32_t)number);
    write_u8(writer, (uint8_t)strlen(name));
    write_bytes(writer, name, strlen(name));
    write_stamp(writer, found);
    write_bytes(writer, bytes, (size_t)found->st_size);
    frame_end();
}

static bool say_from(int fd, int number, const char *name) {
    static uint8_t bytes[FILE_MOST];
    struct stat before, after;
    if (fstat(fd, &before) != 0 || !is_small_news(&before)) {
        return false;
    }
    size_t size = (size_t)before.st_size;
    if (content_read(fd, bytes, size, 0) != before.st_size || fstat(fd, &after) != 0) {
        return false;
    }
    struct stamp stamp = stamp_of(&before);
    if (!stamp_is(&stamp, &after)) {
        return false;
    }
    budget -= size;
    say(number, name, &after, bytes);
    return true;
}

static bool there_is_budget(void) {
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t span = ((int64_t)time.tv_sec * SECOND_MS + time.tv_nsec / MILLISECOND_NS) / SPAN_MS;
    if (span != budget_of) {
        budget_of = span;
        budget = BUDGET;
    }
    if (budget < COST) {
        return false;
    }
    budget -= COST;
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) > 0 && (output.revents & POLLOUT) != 0;
}

bool watched_say(int number, const char *name) {
    struct stat found;
    int directory = all != NULL && there_is_budget() ? open_watched(number) : -1;
    if (directory < 0) {
        return false;
    }
    bool said = false;
    if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && is_small_news(&found)) {
        int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            said = say_from(fd, number, name);
            close(fd);
        }
    }
    close(directory);
    return said;
}
