#include "sync_own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sync_packet.h"
#include "sync_place.h"
#include "text.h"

#define TEMPORARY ".devbox-tmp-"

enum { SECOND = 1000000000, HEX = 16 };

static uid_t owner_uid; /* of the root */
static gid_t owner_gid;

static const char nonce_path[] = ".devbox/sync-id";
static const char ignore_path[] = ".devbox/.gitignore";

static char *write_hex(char *at, const uint8_t *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    for (size_t index = 0; index < size; index++) {
        *at++ = digits[bytes[index] >> 4];
        *at++ = digits[bytes[index] & 15];
    }
    *at = '\0';
    return at;
}

void own_temporary(char name[static OWN_TEMPORARY]) {
    static uint64_t number;
    if (number == 0 && getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
        struct timespec now = {0};
        (void)clock_gettime(CLOCK_REALTIME, &now); /* nothing random yet; whoever was here before is not now */
        number = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
    }
    number++;
    memcpy(name, TEMPORARY, sizeof TEMPORARY);
    write_hex(name + sizeof TEMPORARY - 1, (const uint8_t *)&number, sizeof number);
}

void own_resumable(char name[static OWN_TEMPORARY], const char *path, const uint8_t digest[static BLAKE2B_SIZE]) {
    struct blake2b hash;
    uint8_t found[BLAKE2B_SIZE];
    blake2b_begin(&hash);
    blake2b_add(&hash, digest, BLAKE2B_SIZE);
    blake2b_add(&hash, path, strlen(path));
    blake2b_end(&hash, found);
    memcpy(name, TEMPORARY, sizeof TEMPORARY);
    write_hex(name + sizeof TEMPORARY - 1, found, HEX);
}

bool own_is_temporary(const char *name) {
    return strncmp(name, TEMPORARY, sizeof TEMPORARY - 1) == 0;
}

/* Write a file of ours as a whole; what is there is left alone unless `replace`. */
static int write_file(const char *path, const uint8_t *bytes, size_t size, bool replace) {
    int parent = path_make_parents(path);
    const char *name = strrchr(path, '/') + 1;
    char temporary[OWN_TEMPORARY];
    own_temporary(temporary);
    if (parent < 0) {
        return -1;
    }
    int fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;
    if (good && replace) {
        good = renameat(parent, temporary, parent, name) == 0;
    } else if (good) {
        good = rename_to_nothing(parent, temporary, parent, name) == 0 || errno == EEXIST;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
        (void)unlinkat(parent, temporary, 0);
    }
    close(parent);
    errno = error;
    return good ? 0 : -1;
}

static void have_ignored(void) {
    static bool done;
    if (!done) {
        done = write_file(ignore_path, (const uint8_t *)"*\n", 2, false) == 0; /* else it is only seen by Git */
    }
}

static struct place own_trash(const char *keep) {
    char path[PATH_MAX];
    struct place place = {.parent = -1};
    if (!text_join(path, sizeof path, (const char *const[]){".devbox/trash/", keep, NULL})) {
        errno = ENAMETOOLONG;
        return place;
    }
    have_ignored();
    const char *slash = strrchr(keep, '/');
    place.name = slash == NULL ? keep : slash + 1;
    place.parent = path_make_parents(path);
    return place;
}

int own_keep(int parent, const char *name, const char *keep) {
    struct place trash = own_trash(keep);
    if (trash.parent < 0) {
        return -1;
    }
    int result = rename_to_nothing(parent, name, trash.parent, trash.name);
    int error = errno;
    close(trash.parent);
    errno = error;
    return result;
}

void own_rescue(int parent, const char *name, const char *as) {
    char keep[PATH_MAX];
    char temporary[OWN_TEMPORARY];
    own_temporary(temporary);
    const char *const parts[] = {"rescued-", temporary + sizeof TEMPORARY - 1, "/", as, NULL};
    if (text_join(keep, sizeof keep, parts)) {
        (void)own_keep(parent, name, keep);
    }
}

static void write_nonce(struct writer *writer) {
    uint8_t bytes[SYNC_NONCE_MOST];
    int fd = path_open(nonce_path, O_RDONLY | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, bytes, sizeof bytes) : 0;
    if (got > 0) {
        write_bytes(writer, bytes, (size_t)got);
    }
    if (fd >= 0) {
        close(fd);
    }
}

int own_give(int at, const char *name) {
    bool ours = geteuid() != 0 || owner_uid == 0;
    return ours ? 0 : fchownat(at, name, owner_uid, owner_gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
}

void own_identity(struct writer *writer, int root) {
    struct stat found = {0};
    struct statx birth = {0};
    (void)fstat(root, &found);
    owner_uid = found.st_uid;
    owner_gid = found.st_gid;
    bool known = statx(root, "", AT_EMPTY_PATH, STATX_BTIME, &birth) == 0 && (birth.stx_mask & STATX_BTIME) != 0;
    write_u64(writer, found.st_dev);
    write_u64(writer, found.st_ino);
    write_u64(writer, known ? (uint64_t)birth.stx_btime.tv_sec * SECOND + birth.stx_btime.tv_nsec : 0);
    write_nonce(writer);
}

void sync_mark(struct reader *reader) {
    size_t size = reader->left;
    const uint8_t *nonce = read_raw(reader, size);
    if (nonce == NULL || size == 0 || size > SYNC_NONCE_MOST) {
        say_refused();
        return;
    }
    have_ignored();
    if (write_file(nonce_path, nonce, size, true) == 0) {
        say_done(NULL);
    } else {
        say_failed(errno);
    }
}
