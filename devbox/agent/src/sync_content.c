#include "sync_content.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sync_events.h"
#include "sync_paths.h"
#include "sync_verbs.h"

enum { PIECE = 65536, PIECES_AT_ONCE = 128, DIGESTS = SYNC_DATA_MOST / BLAKE2B_SIZE / 4 };

static void say_not_there(const struct place *place) {
    struct stat found;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    say_changed(place->parent >= 0 && fstatat(place->parent, place->name, &found, flags) == 0 ? &found : NULL);
}

/* Whether it is to be opened, which devices and their kin may take amiss. */
static bool is_wanted(const struct stat *found, const struct expected *expected) {
    return S_ISREG(found->st_mode) && (!expected->there || stamp_is(&expected->stamp, found));
}

int content_open(const char *path, struct expected *expected) {
    struct place place = path_place(path);
    struct stat found;
    errno = place.parent >= 0 ? 0 : errno;
    int fd = -1;
    if (place.parent >= 0 && fstatat(place.parent, place.name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        errno = ENOENT; /* of what is expected */
        fd = is_wanted(&found, expected) ? openat(place.parent, place.name, flags) : -1;
    }
    if (fd >= 0 && fstat(fd, &found) == 0 && is_wanted(&found, expected)) {
        *expected = (struct expected){.there = true, .stamp = stamp_of(&found)};
        return fd;
    }
    if (fd >= 0 || path_is_gone(errno)) {
        say_not_there(&place);
    } else {
        say_failed(errno);
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

ssize_t content_read(int fd, uint8_t *bytes, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, bytes + done, size - done, (off_t)(offset + done));
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

int content_write(int fd, const uint8_t *bytes, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t put = pwrite(fd, bytes, size, (off_t)offset);
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
            offset += (uint64_t)put;
        } else if (put == 0 || errno != EINTR) {
            errno = put == 0 ? EIO : errno;
            return -1;
        }
    }
    return 0;
}

bool content_digest(int fd, uint64_t offset, uint64_t size, uint8_t digest[static BLAKE2B_SIZE]) {
    static uint8_t piece[PIECE];
    struct blake2b hash;
    blake2b_begin(&hash);
    for (unsigned count = 1; size > 0; count++) {
        ssize_t got = content_read(fd, piece, size < PIECE ? (size_t)size : PIECE, offset);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            break;
        }
        blake2b_add(&hash, piece, (size_t)got);
        offset += (uint64_t)got;
        size -= (uint64_t)got;
        if (count % PIECES_AT_ONCE == 0) {
            events_tell();
        }
    }
    blake2b_end(&hash, digest);
    return true;
}

/* The digests of some blocks from `*block` on; false if all have been said, or a failure has. */
static bool say_digests(int fd, uint64_t size, uint64_t length, uint64_t *offset) {
    static uint8_t digests[DIGESTS * BLAKE2B_SIZE];
    size_t used = 0;
    do {
        uint64_t some = size - *offset < length ? size - *offset : length;
        if (!content_digest(fd, *offset, some, digests + used)) {
            say_failed(errno);
            return false;
        }
        *offset += some;
        used += BLAKE2B_SIZE;
    } while (used < sizeof digests && *offset < size);
    write_bytes(say_begin(true, NULL), digests, used);
    frame_end();
    return *offset < size;
}

/* The end of what goes on: whether it was all of one and the same file. */
static void say_end(int fd, const struct expected *expected) {
    struct stat found;
    if (fstat(fd, &found) != 0) {
        say_failed(errno);
    } else if (stamp_is(&expected->stamp, &found)) {
        say_done(&found);
    } else {
        say_changed(&found);
    }
}

void sync_hash(struct reader *reader) {
    const char *path = read_path(reader);
    struct expected expected = read_present(reader);
    uint32_t block = read_u32(reader);
    if (!read_all(reader) || !S_ISREG(expected.stamp.mode)) {
        say_refused();
        return;
    }
    int fd = content_open(path, &expected);
    if (fd < 0) {
        return;
    }
    uint64_t size = expected.stamp.size;
    uint64_t offset = 0;
    uint64_t length = block == 0 ? size : block;
    bool failed = false;
    if (block == 0 || size > 0) {
        while (say_digests(fd, size, length, &offset)) {
            continue;
        }
        failed = offset < size;
    }
    if (!failed) {
        say_end(fd, &expected);
    }
    close(fd);
}

static void say_content(int fd, const struct expected *expected, uint64_t offset, uint32_t size) {
    static uint8_t bytes[SYNC_DATA_MOST];
    struct stat found;
    ssize_t got = content_read(fd, bytes, size, offset);
    if (got < 0 || fstat(fd, &found) != 0) {
        say_failed(errno);
    } else if (!stamp_is(&expected->stamp, &found)) {
        say_changed(&found);
    } else {
        write_bytes(say_begin(false, &found), bytes, (size_t)got);
        frame_end();
    }
}

void sync_read(struct reader *reader) {
    const char *path = read_path(reader);
    struct expected expected = read_expected(reader);
    uint64_t offset = read_u64(reader);
    uint32_t size = read_u32(reader);
    bool absurd = expected.there && !S_ISREG(expected.stamp.mode);
    if (!read_all(reader) || absurd || size > SYNC_DATA_MOST || offset > INT64_MAX - SYNC_DATA_MOST) {
        say_refused();
        return;
    }
    int fd = content_open(path, &expected);
    if (fd >= 0) {
        say_content(fd, &expected, offset, size);
        close(fd);
    }
}
