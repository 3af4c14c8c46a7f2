/* Files that come in pieces, several at once, out of sight until they are whole. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sync_content.h"
#include "sync_own.h"
#include "sync_verbs.h"
#include "sync_write.h"

enum { FILES_MOST = 64 };

struct file {
    bool used;
    uint32_t handle;
    int fd;
    int parent; /* where it was begun, for leaving it */
    char name[OWN_TEMPORARY];
    uint8_t digest[BLAKE2B_SIZE]; /* that it was begun with, as its name was made of it */
    uint64_t hashed; /* so much from its beginning is in `hash` */
    struct blake2b hash;
};

static struct file files[FILES_MOST];

static struct file *find(uint32_t handle) {
    for (size_t index = 0; index < FILES_MOST; index++) {
        if (files[index].used && files[index].handle == handle) {
            return &files[index];
        }
    }
    return NULL;
}

static struct file *find_free(void) {
    for (size_t index = 0; index < FILES_MOST; index++) {
        if (!files[index].used) {
            return &files[index];
        }
    }
    return NULL;
}

static void leave(struct file *file) {
    close(file->fd);
    close(file->parent);
    file->used = false;
}

static bool is_ours(const struct stat *found) {
    return S_ISREG(found->st_mode) && found->st_nlink == 1 && found->st_uid == geteuid();
}

/* What is there is taken up if it is a file of our own, that has no other name; else it is made anew. */
static int open_resumable(int parent, const char *name, struct stat *found) {
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd >= 0 && fstat(fd, found) == 0 && is_ours(found)) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) {
        return -1;
    }
    fd = openat(parent, name, flags | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 && fstat(fd, found) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void sync_begin_file(struct reader *reader) {
    uint32_t handle = read_u32(reader);
    const char *path = read_path(reader);
    const uint8_t *digest = read_raw(reader, BLAKE2B_SIZE);
    if (!read_all(reader) || find(handle) != NULL) {
        say_refused();
        return;
    }
    struct file *file = find_free();
    struct place place = path_place(path);
    if (file == NULL || place.parent < 0) {
        say_failed(file == NULL ? EMFILE : errno);
        return;
    }
    struct stat found;
    *file = (struct file){.used = true, .handle = handle};
    own_resumable(file->name, path, digest);
    memcpy(file->digest, digest, BLAKE2B_SIZE);
    blake2b_begin(&file->hash);
    file->fd = open_resumable(place.parent, file->name, &found);
    file->parent = file->fd >= 0 ? fcntl(place.parent, F_DUPFD_CLOEXEC, 3) : -1;
    if (file->parent >= 0) {
        say_done(&found);
        return;
    }
    say_failed(errno);
    if (file->fd >= 0) {
        close(file->fd);
    }
    file->used = false;
}

/* As long as pieces come one after another, the digest is known at the end without a second look at them. */
static void take_into_hash(struct file *file, uint64_t offset, const uint8_t *bytes, size_t size) {
    if (offset == file->hashed) {
        blake2b_add(&file->hash, bytes, size);
        file->hashed += size;
    } else if (offset < file->hashed) {
        file->hashed = UINT64_MAX;
    }
}

static void write_piece(struct file *file, uint64_t offset, const uint8_t *bytes, size_t size) {
    struct stat found;
    if (content_write(file->fd, bytes, size, offset) != 0) {
        file->hashed = UINT64_MAX;
        say_failed(errno);
        return;
    }
    take_into_hash(file, offset, bytes, size);
    say_done(fstat(file->fd, &found) == 0 ? &found : NULL);
}

void sync_chunk(struct reader *reader) {
    struct file *file = find(read_u32(reader));
    uint64_t offset = read_u64(reader);
    if (reader->bad || file == NULL || reader->left > SYNC_DATA_MOST || offset > INT64_MAX - SYNC_DATA_MOST) {
        say_refused();
        return;
    }
    write_piece(file, offset, reader->at, reader->left);
}

static void copy(struct file *file, int from, const struct expected *expected, uint64_t source, uint64_t offset,
                 uint64_t size) {
    static uint8_t piece[65536];
    struct stat found;
    while (size > 0) {
        ssize_t got = content_read(from, piece, size < sizeof piece ? (size_t)size : sizeof piece, source);
        if (got <= 0 || content_write(file->fd, piece, (size_t)got, offset) != 0) {
            file->hashed = UINT64_MAX;
            say_failed(got == 0 ? ENODATA : errno);
            return;
        }
        take_into_hash(file, offset, piece, (size_t)got);
        source += (uint64_t)got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    if (fstat(from, &found) != 0) {
        say_failed(errno);
    } else if (!stamp_is(&expected->stamp, &found)) {
        say_changed(&found);
    } else {
        say_done(fstat(file->fd, &found) == 0 ? &found : NULL);
    }
}

void sync_copy(struct reader *reader) {
    struct file *file = find(read_u32(reader));
    const char *path = read_path(reader);
    struct expected expected = read_present(reader);
    uint64_t source = read_u64(reader);
    uint64_t offset = read_u64(reader);
    uint64_t size = read_u64(reader);
    uint64_t most = INT64_MAX / 2;
    bool absurd = !S_ISREG(expected.stamp.mode);
    if (!read_all(reader) || absurd || file == NULL || source > most || offset > most || size > most) {
        say_refused();
        return;
    }
    int from = content_open(path, &expected);
    if (from < 0) {
        return;
    }
    if (source > expected.stamp.size || size > expected.stamp.size - source) {
        say_changed(NULL);
    } else {
        copy(file, from, &expected, source, offset, size);
    }
    close(from);
}

static bool is_whole(struct file *file, uint64_t size, const uint8_t *digest) {
    uint8_t found[BLAKE2B_SIZE];
    struct stat now;
    if (fstat(file->fd, &now) != 0 || (uint64_t)now.st_size != size) {
        return false;
    }
    if (file->hashed == size) {
        blake2b_end(&file->hash, found);
    } else if (!content_digest(file->fd, 0, size, found)) {
        return false;
    }
    return memcmp(found, digest, BLAKE2B_SIZE) == 0;
}

static bool is_beside(const struct file *file, const struct place *place) {
    struct stat ours, found;
    return fstat(file->fd, &ours) == 0 && fstatat(place->parent, file->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == found.st_ino && ours.st_dev == found.st_dev;
}

/* What is there has the temporary name for a moment: after a kill then, it must not be taken for an upload. */
static bool take_a_name_of_its_own(struct file *file, const struct target *target, const struct place *place) {
    char name[OWN_TEMPORARY];
    if (!target->expected.there) {
        return true;
    }
    own_temporary(name);
    if (rename_to_nothing(place->parent, file->name, place->parent, name) != 0) {
        return false;
    }
    memcpy(file->name, name, sizeof name);
    return true;
}

static void commit(struct file *file, const struct target *target, uint64_t size) {
    bool whole = is_whole(file, size, target->digest);
    struct place place = path_place(target->path);
    if (place.parent < 0) {
        say_no_parent(&target->expected);
    } else if (!is_beside(file, &place)) { /* somebody has moved or removed it */
        say_failed(ENOENT);
    } else if (!whole) {
        (void)unlinkat(place.parent, file->name, 0);
        say_outcome(OUTCOME_CHANGED, &place);
    } else if (target_dress(target, &place, file->fd) != 0 || !take_a_name_of_its_own(file, target, &place)) {
        say_failed(errno);
    } else {
        target_place(target, &place, file->name, file->fd, size);
    }
}

void sync_commit(struct reader *reader) {
    struct target target = read_target(reader);
    struct file *file = find(read_u32(reader));
    uint64_t size = read_u64(reader);
    char name[OWN_TEMPORARY] = "";
    if (!reader->bad && file != NULL) {
        own_resumable(name, target.path, file->digest);
    }
    if (!read_all(reader) || file == NULL || strcmp(name, file->name) != 0) {
        say_refused();
        return;
    }
    commit(file, &target, size);
    leave(file);
}

void sync_abort(struct reader *reader) {
    struct file *file = find(read_u32(reader));
    bool forget = read_u8(reader) != 0;
    if (!read_all(reader) || file == NULL) {
        say_refused();
        return;
    }
    struct place place = {.parent = file->parent};
    if (forget && is_beside(file, &place)) {
        (void)unlinkat(file->parent, file->name, 0);
    }
    leave(file);
    say_done(NULL);
}
