#include "socketfile.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { OWN_GROUPS_MOST = 1024 };

static gid_t own_groups[OWN_GROUPS_MOST];
static int own_group_count;

/* What the kernel says is what counts: setfsuid itself reports no failure. */
static bool set_file_ids(uid_t uid, gid_t gid) {
    setfsgid(gid);
    setfsuid(uid);
    return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

static bool be_agent(void) {
    if (geteuid() != 0) {
        return true;
    }
    return set_file_ids(0, getegid()) && setgroups((size_t)own_group_count, own_groups) == 0;
}

/* From uid 0 to another one this takes the capabilities over files away too, and gives them back on the way back. */
static bool be_user(const struct user *user) {
    if (geteuid() != 0) {
        errno = EPERM;
        return user->uid == geteuid();
    }
    own_group_count = getgroups(OWN_GROUPS_MOST, own_groups);
    if (own_group_count < 0) {
        return false;
    }
    if (setgroups(user->group_count, user->groups) == 0 && set_file_ids(user->uid, user->gid)) {
        return true;
    }
    (void)be_agent(); /* the failure that counts is the one before */
    errno = EPERM;
    return false;
}

static const char *path_of(const struct socketfile *file) {
    return ((const struct sockaddr_un *)address_of(&file->address))->sun_path;
}

/* False for a path directly below the root. */
static bool parent_of(const struct socketfile *file, char room[static sizeof(struct sockaddr_un)]) {
    strcpy(room, path_of(file));
    char *slash = strrchr(room, '/');
    *slash = '\0';
    return slash != room;
}

static bool make_directory(struct socketfile *file) {
    char parent[sizeof(struct sockaddr_un)];
    if (!file->own_directory) {
        return true;
    }
    errno = EINVAL;
    return parent_of(file, parent) && mkdir(parent, 0700) == 0;
}

static void remove_directory(const struct socketfile *file) {
    char parent[sizeof(struct sockaddr_un)];
    if (file->own_directory && parent_of(file, parent)) {
        (void)rmdir(parent); /* stays if it is not empty */
    }
}

static bool bind_file(struct socketfile *file, int fd) {
    struct stat made;
    if (bind(fd, address_of(&file->address), file->address.size) != 0) {
        return false;
    }
    if (lstat(path_of(file), &made) != 0) {
        return false;
    }
    file->device = made.st_dev;
    file->inode = made.st_ino;
    return true;
}

static bool make(struct socketfile *file, int fd) {
    if (!make_directory(file)) {
        return false;
    }
    mode_t mask = umask(0177);
    bool bound = bind_file(file, fd);
    int error = errno;
    umask(mask);
    if (!bound) {
        remove_directory(file);
    }
    errno = error;
    return bound;
}

bool socketfile_make(struct socketfile *file, int fd) {
    if (!be_user(&file->user)) {
        return false;
    }
    bool made = make(file, fd);
    int error = errno;
    if (!be_agent()) {
        _exit(1); /* an agent that is nobody in particular is none */
    }
    errno = error;
    return made;
}

void socketfile_remove(const struct socketfile *file) {
    struct stat found;
    if (!be_user(&file->user)) {
        return;
    }
    bool ours = lstat(path_of(file), &found) == 0 && found.st_dev == file->device && found.st_ino == file->inode;
    if (ours && unlink(path_of(file)) == 0) {
        remove_directory(file);
    }
    if (!be_agent()) {
        _exit(1);
    }
}
