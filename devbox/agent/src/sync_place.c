#include "sync_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync_own.h"

static int rename_by(int from, const char *name, int to, const char *new_name, unsigned flags) {
    return (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
}

/* What some file systems, and filters of calls, have instead. */
static bool is_unknown(int error) {
    return error == EINVAL || error == ENOSYS || error == EPERM;
}

/* It has its new name: it loses the old one, or else the new one again. */
static int let_go(int from, const char *name, int to, const char *new_name) {
    if (unlinkat(from, name, 0) == 0) {
        return 0;
    }
    int error = errno;
    (void)unlinkat(to, new_name, 0);
    errno = error;
    return -1;
}

int rename_to_nothing(int from, const char *name, int to, const char *new_name) {
    struct stat found;
    int result = rename_by(from, name, to, new_name, RENAME_NOREPLACE);
    if (result == 0 || !is_unknown(errno)) {
        return result;
    }
    if (linkat(from, name, to, new_name, 0) == 0) {
        return let_go(from, name, to, new_name);
    }
    if (errno == EEXIST || fstatat(to, new_name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from, name, to, new_name); /* a directory, or a file system without links */
}

bool is_replaceable(const struct expected *expected) {
    mode_t mode = expected->stamp.mode;
    return !expected->there || S_ISREG(mode) || S_ISLNK(mode) || S_ISDIR(mode);
}

static int look(int parent, const char *name, struct stat *found) {
    return fstatat(parent, name, found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);
}

/* Be rid of what was there, which is under a temporary name now. */
static int dispose(const struct change *change, const char *temporary) {
    if (S_ISDIR(change->expected.stamp.mode)) { /* the kernel looks whether it is empty */
        return unlinkat(change->place.parent, temporary, AT_REMOVEDIR);
    }
    if (change->keep[0] != '\0') {
        return own_keep(change->place.parent, temporary, change->keep);
    }
    return unlinkat(change->place.parent, temporary, 0);
}

/* Put back what was taken away; it is kept in the trash if something new is there even before us. */
static void put_back(const struct place *place, const char *temporary) {
    if (rename_to_nothing(place->parent, temporary, place->parent, place->name) != 0 && errno != ENOENT) {
        own_rescue(place->parent, temporary, place->name);
    }
}

/* In one step or not at all, or where there is no such step: the name is missing for a moment. What somebody saves there
   just then stays, this is EEXIST, and what was there is in the trash. */
static int exchange(const struct place *place, const char *temporary) {
    char spare[OWN_TEMPORARY];
    int at = place->parent;
    int result = rename_by(at, temporary, at, place->name, RENAME_EXCHANGE);
    if (result == 0 || !is_unknown(errno)) {
        return result;
    }
    own_temporary(spare);
    if (renameat(at, place->name, at, spare) != 0) {
        return -1;
    }
    if (rename_to_nothing(at, temporary, at, place->name) == 0) {
        return renameat(at, spare, at, temporary);
    }
    int error = errno;
    put_back(place, spare);
    errno = error;
    return -1;
}

/* Exchange them again. What comes back is ours and goes, unless somebody wrote into it, or over it, meanwhile. */
static void exchange_back(const struct place *place, const char *temporary, const struct stat *ours) {
    struct stat found;
    if (exchange(place, temporary) != 0) {
        put_back(place, temporary);
    } else if (look(place->parent, temporary, &found) == 0 && stat_was(ours, &found)) {
        (void)unlinkat(place->parent, temporary, 0);
    } else {
        own_rescue(place->parent, temporary, place->name);
    }
}

int place_move(const struct place *from, const struct place *to) {
    char spare[OWN_TEMPORARY];
    int result = rename_by(from->parent, from->name, to->parent, to->name, RENAME_NOREPLACE);
    if (result == 0 || !is_unknown(errno)) {
        return result;
    }
    own_temporary(spare); /* else what is saved between two steps would be taken for what was there */
    if (renameat(from->parent, from->name, from->parent, spare) != 0) {
        return -1;
    }
    if (rename_to_nothing(from->parent, spare, to->parent, to->name) == 0) {
        return 0;
    }
    int error = errno;
    put_back(from, spare);
    errno = error;
    return -1;
}

/* What the errno of a call that failed comes to. */
static enum outcome failure(void) {
    return path_is_gone(errno) || errno == ESTALE || errno == EEXIST ? OUTCOME_CHANGED : OUTCOME_FAILED;
}

bool place_holds(const struct change *change) {
    struct stat found;
    if (look(change->place.parent, change->place.name, &found) != 0) {
        return false;
    }
    errno = ESTALE;
    return stamp_is(&change->expected.stamp, &found);
}

/* It never came to its place. */
static enum outcome discard(const struct place *place, const char *temporary, enum outcome outcome) {
    int error = errno;
    (void)unlinkat(place->parent, temporary, 0);
    errno = error;
    return outcome;
}

static enum outcome replace(const struct change *change, const char *temporary) {
    const struct place *place = &change->place;
    struct stat ours, old;
    if (look(place->parent, temporary, &ours) != 0 || !place_holds(change)) {
        return discard(place, temporary, failure());
    }
    if (exchange(place, temporary) != 0) {
        return discard(place, temporary, failure());
    }
    bool same = look(place->parent, temporary, &old) == 0 && stamp_was(&change->expected.stamp, &old);
    if (same && dispose(change, temporary) == 0) {
        return OUTCOME_DONE;
    }
    int error = errno;
    exchange_back(place, temporary, &ours);
    errno = error;
    return same ? OUTCOME_FAILED : OUTCOME_CHANGED;
}

enum outcome place_new(const struct change *change, const char *temporary) {
    const struct place *place = &change->place;
    if (change->expected.there) {
        return replace(change, temporary);
    }
    bool done = rename_to_nothing(place->parent, temporary, place->parent, place->name) == 0;
    return done ? OUTCOME_DONE : discard(place, temporary, failure());
}

enum outcome place_nothing(const struct change *change) {
    const struct place *place = &change->place;
    char temporary[OWN_TEMPORARY];
    struct stat found;
    own_temporary(temporary);
    if (!place_holds(change)) {
        return failure();
    }
    if (S_ISDIR(change->expected.stamp.mode)) { /* the kernel looks whether it is empty */
        bool gone = unlinkat(place->parent, place->name, AT_REMOVEDIR) == 0;
        return gone ? OUTCOME_DONE : path_is_gone(errno) ? OUTCOME_CHANGED : OUTCOME_FAILED;
    }
    if (renameat(place->parent, place->name, place->parent, temporary) != 0) { /* a name that nobody else has */
        return failure();
    }
    bool same = look(place->parent, temporary, &found) == 0 && stamp_was(&change->expected.stamp, &found);
    if (same && dispose(change, temporary) == 0) {
        return OUTCOME_DONE;
    }
    int error = errno;
    put_back(place, temporary);
    errno = error;
    return same ? OUTCOME_FAILED : OUTCOME_CHANGED;
}

void say_outcome(enum outcome outcome, const struct place *place) {
    struct stat found;
    if (outcome == OUTCOME_FAILED) {
        say_failed(errno);
        return;
    }
    bool there = look(place->parent, place->name, &found) == 0;
    if (outcome == OUTCOME_DONE) {
        say_done(there ? &found : NULL);
    } else {
        say_changed(there ? &found : NULL);
    }
}

void say_no_parent(const struct expected *expected) {
    if (expected->there && path_is_gone(errno)) {
        say_changed(NULL);
    } else {
        say_failed(errno);
    }
}
