#include "sync_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync_content.h"
#include "sync_own.h"
#include "sync_verbs.h"

enum { NEW = 0644, NEW_EXECUTABLE = 0755, EXECUTABLE = 0111, SECOND = 1000000000 };

struct target read_target(struct reader *reader) {
    struct target target = {.path = read_path(reader), .expected = read_expected(reader)};
    target.digest = read_raw(reader, BLAKE2B_SIZE);
    target.executable = read_u8(reader) != 0;
    target.mtime = (int64_t)read_u64(reader);
    target.keep = read_keep(reader);
    reader->bad = reader->bad || !is_replaceable(&target.expected);
    return target;
}

char *read_keep(struct reader *reader) {
    char *keep = read_str(reader);
    reader->bad = reader->bad || (keep[0] != '\0' && !path_is_good(keep));
    return keep;
}

/* Who may read may execute, and the owner; set-user-ID and its kin go. */
static mode_t with_execution(mode_t mode, bool executable) {
    mode &= 0777;
    if (!executable) {
        return mode & ~(mode_t)EXECUTABLE;
    }
    return (mode & S_IXUSR) != 0 ? mode : mode | S_IXUSR | (mode & 0444) >> 2;
}

mode_t target_mode(const struct target *target) {
    if (target->expected.there && S_ISREG(target->expected.stamp.mode)) {
        return with_execution(target->expected.stamp.mode, target->executable);
    }
    return target->executable ? NEW_EXECUTABLE : NEW;
}

static int give_time(const struct target *target, int fd) {
    int64_t seconds = target->mtime / SECOND;
    int64_t rest = target->mtime % SECOND;
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = rest < 0 ? seconds - 1 : seconds, .tv_nsec = rest < 0 ? rest + SECOND : rest},
    };
    return futimens(fd, times);
}

/* Root works for others: a file that replaces one has its owner, a new one that of the root directory. */
static int give_owner(const struct target *target, const struct place *place, int fd) {
    struct stat old;
    bool replaces = target->expected.there && S_ISREG(target->expected.stamp.mode);
    if (geteuid() != 0) {
        return 0;
    }
    if (replaces && fstatat(place->parent, place->name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
        return old.st_uid == 0 && old.st_gid == 0 ? 0 : fchown(fd, old.st_uid, old.st_gid);
    }
    return own_give(fd, "");
}

int target_dress(const struct target *target, const struct place *place, int fd) {
    bool good = give_owner(target, place, fd) == 0 && fchmod(fd, target_mode(target)) == 0;
    return good ? give_time(target, fd) : -1;
}

/* It is as it was made; a file system may have cut its time, but whoever writes makes it newer. */
static bool is_as_made(const struct target *target, uint64_t size, const struct stat *found) {
    int64_t cut = target->mtime - stamp_of(found).mtime;
    return (uint64_t)found->st_size == size && cut >= 0 && cut <= 2 * (int64_t)SECOND;
}

void target_place(const struct target *target, const struct place *place, const char *temporary, int fd,
                  uint64_t size) {
    struct change change = {.place = *place, .expected = target->expected, .keep = target->keep};
    struct stat found;
    enum outcome outcome = place_new(&change, temporary);
    if (outcome != OUTCOME_DONE || fstat(fd, &found) != 0) {
        say_outcome(outcome, place);
        return;
    }
    if (!is_as_made(target, size, &found)) {
        found.st_ctim = (struct timespec){0}; /* somebody has written into it since: a stamp that nothing has */
    }
    say_done(&found);
}

static int write_temporary(const struct target *target, const struct place *place, const char *temporary,
                           const struct reader *data) {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(place->parent, temporary, flags, target_mode(target));
    if (fd >= 0 && content_write(fd, data->at, data->left, 0) == 0 && give_owner(target, place, fd) == 0 &&
        give_time(target, fd) == 0) {
        return fd;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
        (void)unlinkat(place->parent, temporary, 0);
    }
    errno = error;
    return -1;
}

static bool has_digest(const struct reader *data, const uint8_t *digest) {
    uint8_t found[BLAKE2B_SIZE];
    struct blake2b hash;
    blake2b_begin(&hash);
    blake2b_add(&hash, data->at, data->left);
    blake2b_end(&hash, found);
    return memcmp(found, digest, BLAKE2B_SIZE) == 0;
}

void sync_put(struct reader *reader) {
    struct target target = read_target(reader);
    if (reader->bad || reader->left > SYNC_DATA_MOST) {
        say_refused();
        return;
    }
    struct place place = path_place(target.path);
    if (place.parent < 0) {
        say_no_parent(&target.expected);
        return;
    }
    if (!has_digest(reader, target.digest)) {
        say_outcome(OUTCOME_CHANGED, &place);
        return;
    }
    char temporary[OWN_TEMPORARY];
    own_temporary(temporary);
    int fd = write_temporary(&target, &place, temporary, reader);
    if (fd < 0) {
        say_failed(errno);
        return;
    }
    target_place(&target, &place, temporary, fd, reader->left);
    close(fd);
}

void sync_link(struct reader *reader) {
    struct change change = {.place = {.parent = -1}};
    const char *path = read_path(reader);
    change.expected = read_expected(reader);
    const char *target = read_str(reader);
    change.keep = read_keep(reader);
    if (!read_all(reader) || target[0] == '\0' || strlen(target) >= PATH_MAX || !is_replaceable(&change.expected)) {
        say_refused();
        return;
    }
    change.place = path_place(path);
    if (change.place.parent < 0) {
        say_no_parent(&change.expected);
        return;
    }
    char temporary[OWN_TEMPORARY];
    own_temporary(temporary);
    if (symlinkat(target, change.place.parent, temporary) != 0) {
        say_failed(errno);
        return;
    }
    (void)own_give(change.place.parent, temporary); /* nobody asks a link for its owner */
    say_outcome(place_new(&change, temporary), &change.place);
}

void sync_mkdir(struct reader *reader) {
    const char *path = read_path(reader);
    if (!read_all(reader)) {
        say_refused();
        return;
    }
    struct place place = path_place(path);
    if (place.parent < 0) {
        say_failed(errno);
    } else if (mkdirat(place.parent, place.name, NEW_EXECUTABLE) == 0) {
        (void)own_give(place.parent, place.name);
        say_outcome(OUTCOME_DONE, &place);
    } else {
        say_outcome(errno == EEXIST ? OUTCOME_CHANGED : OUTCOME_FAILED, &place);
    }
}

void sync_remove(struct reader *reader) {
    struct change change = {.place = {.parent = -1}};
    const char *path = read_path(reader);
    change.expected = read_present(reader);
    change.keep = read_keep(reader);
    if (!read_all(reader) || !is_replaceable(&change.expected)) {
        say_refused();
        return;
    }
    change.place = path_place(path);
    if (change.place.parent < 0) {
        say_no_parent(&change.expected);
        return;
    }
    say_outcome(place_nothing(&change), &change.place);
    if (S_ISDIR(change.expected.stamp.mode)) {
        paths_forget();
    }
}

/* What was moved is what was expected, or else is moved back. */
static void verify_rename(const struct change *change, const struct place *to) {
    struct stat found;
    const struct place *from = &change->place;
    if (fstatat(to->parent, to->name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        say_failed(errno);
    } else if (stamp_was(&change->expected.stamp, &found)) {
        say_done(&found);
    } else {
        (void)place_move(to, from);
        say_outcome(OUTCOME_CHANGED, from);
    }
}

void sync_rename(struct reader *reader) {
    struct change change = {.keep = ""};
    const char *path = read_path(reader);
    change.expected = read_present(reader);
    const char *new_path = read_path(reader);
    if (!read_all(reader) || !is_replaceable(&change.expected)) {
        say_refused();
        return;
    }
    change.place = path_place(path);
    if (change.place.parent < 0) {
        say_no_parent(&change.expected);
        return;
    }
    change.place.parent = fcntl(change.place.parent, F_DUPFD_CLOEXEC, 3); /* the other may push it out */
    struct place to = path_place(new_path);
    if (change.place.parent < 0 || to.parent < 0) {
        say_failed(errno);
    } else if (!place_holds(&change)) {
        say_outcome(path_is_gone(errno) || errno == ESTALE ? OUTCOME_CHANGED : OUTCOME_FAILED, &change.place);
    } else if (place_move(&change.place, &to) == 0) {
        verify_rename(&change, &to);
    } else {
        say_outcome(errno == EEXIST ? OUTCOME_CHANGED : OUTCOME_FAILED, errno == EEXIST ? &to : &change.place);
    }
    if (change.place.parent >= 0) {
        close(change.place.parent);
    }
    if (S_ISDIR(change.expected.stamp.mode)) {
        paths_forget();
    }
}

void sync_chmod(struct reader *reader) {
    const char *path = read_path(reader);
    struct expected expected = read_present(reader);
    bool executable = read_u8(reader) != 0;
    struct stat found;
    if (!read_all(reader) || !S_ISREG(expected.stamp.mode)) {
        say_refused();
        return;
    }
    int fd = content_open(path, &expected);
    if (fd < 0) {
        return;
    }
    if (fchmod(fd, with_execution(expected.stamp.mode, executable)) == 0 && fstat(fd, &found) == 0) {
        say_done(&found);
    } else {
        say_failed(errno);
    }
    close(fd);
}
