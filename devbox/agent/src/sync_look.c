#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "sync_events.h"
#include "sync_packet.h"
#include "sync_paths.h"
#include "sync_verbs.h"
#include "sync_watched.h"

enum {
    PART = 49152, /* of a list, in one frame */
    ENTRY_MOST = 2 + SYNC_NAME_MOST + SYNC_STAMP + 2 + PATH_MAX,
};

static size_t link_target(int parent, const char *name, const struct stat *found, char target[static PATH_MAX]) {
    ssize_t size = S_ISLNK(found->st_mode) ? readlinkat(parent, name, target, PATH_MAX) : 0;
    return size > 0 ? (size_t)size : 0;
}

void sync_stat(struct reader *reader) {
    char target[PATH_MAX];
    struct stat found;
    const char *path = read_str(reader);
    if (!read_all(reader) || (path[0] != '\0' && !path_is_good(path))) {
        say_refused();
        return;
    }
    paths_require(path);
    struct place place = path_place(path);
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
    if (place.parent < 0 || fstatat(place.parent, place.name, &found, flags) != 0) {
        if (path_is_gone(errno)) {
            say_done(NULL);
        } else {
            say_failed(errno);
        }
        return;
    }
    size_t size = link_target(place.parent, place.name, &found, target);
    write_bytes(say_begin(false, &found), target, size);
    frame_end();
}

/* The next entries, as many as one frame shall hold; false at the end. */
static bool write_entries(DIR *directory, struct writer *writer) {
    char target[PATH_MAX];
    struct dirent *entry;
    while (writer->size < PART) {
        errno = 0;
        entry = readdir(directory);
        if (entry == NULL) {
            return false;
        }
        const char *name = entry->d_name;
        struct stat found;
        bool dots = name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
        bool odd = dots || strlen(name) > SYNC_NAME_MOST; /* as some file systems have them */
        if (odd || fstatat(dirfd(directory), name, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
            continue; /* or else it was removed a moment before */
        }
        size_t size = link_target(dirfd(directory), name, &found, target);
        write_u16(writer, (uint16_t)strlen(name));
        write_bytes(writer, name, strlen(name));
        write_stamp(writer, &found);
        write_u16(writer, (uint16_t)size);
        write_bytes(writer, target, size);
    }
    return true;
}

static void say_entries(DIR *directory, int number) {
    struct stat itself;
    bool known = fstat(dirfd(directory), &itself) == 0;
    bool more = true;
    while (more) {
        struct writer *writer = say_begin(true, NULL);
        write_u32(writer, (uint32_t)number);
        more = write_entries(directory, writer);
        int error = more ? 0 : errno;
        frame_end();
        if (error != 0) {
            say_failed(error);
            return;
        }
    }
    write_u32(say_begin(false, known ? &itself : NULL), (uint32_t)number);
    frame_end();
}

void sync_list(struct reader *reader) {
    const char *path = read_str(reader);
    uint8_t watched = read_u8(reader);
    if (!read_all(reader) || (path[0] != '\0' && !path_is_good(path))) {
        say_refused();
        return;
    }
    paths_require(path);
    int fd = path_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    int number = fd >= 0 && watched != 0 ? events_watch(fd) : -1; /* before the look, so that nothing falls between */
    if ((watched & SYNC_CONTENTS) != 0) {
        watched_keep(number, fd, path);
    }
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        say_failed(errno);
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    say_entries(directory, number);
    closedir(directory);
}
