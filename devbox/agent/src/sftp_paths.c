#include "sftp_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sftp_attr.h"
#include "text.h"
#include "userdb.h"

enum { NO_REPLACE = 1 }; /* RENAME_NOREPLACE */

static bool is_bad(const struct request *request) {
    if (request->bad) {
        answer_errno(request->id, EINVAL);
    }
    return request->bad;
}

static void answer_stat(struct request *request, int flags) {
    const char *path = request_text(request);
    struct stat found;
    if (is_bad(request)) {
        return;
    }
    if (fstatat(AT_FDCWD, path, &found, flags) != 0) {
        answer_errno(request->id, errno);
        return;
    }
    answer_begin(SFTP_ATTRS, request->id);
    answer_attributes(&found);
    answer_send();
}

void sftp_stat(struct request *request) {
    answer_stat(request, 0);
}

void sftp_lstat(struct request *request) {
    answer_stat(request, AT_SYMLINK_NOFOLLOW);
}

static void set(struct request *request, int follow) {
    const char *path = request_text(request);
    struct attributes attributes = request_attributes(request);
    if (!is_bad(request)) {
        answer_result(request->id, attributes_apply(&attributes, -1, path, follow));
    }
}

void sftp_setstat(struct request *request) {
    set(request, 1);
}

void sftp_lsetstat(struct request *request) {
    set(request, 0);
}

void sftp_remove(struct request *request) {
    const char *path = request_text(request);
    if (!is_bad(request)) {
        answer_result(request->id, unlink(path));
    }
}

void sftp_mkdir(struct request *request) {
    const char *path = request_text(request);
    struct attributes attributes = request_attributes(request);
    mode_t mode = (attributes.flags & SFTP_HAS_MODE) != 0 ? attributes.mode & 07777 : 0777;
    if (!is_bad(request)) {
        answer_result(request->id, mkdir(path, mode));
    }
}

void sftp_rmdir(struct request *request) {
    const char *path = request_text(request);
    if (!is_bad(request)) {
        answer_result(request->id, rmdir(path));
    }
}

/* One name, with no attributes that anybody reads. */
static void answer_name(uint32_t id, const char *name) {
    answer_begin(SFTP_NAME, id);
    answer_u32(1);
    answer_text(name);
    answer_text(name);
    answer_u32(0);
    answer_send();
}

/* The path without links; its last part need not exist. False and errno. */
static bool resolve(char *path, char *room) {
    if (realpath(path[0] == '\0' ? "." : path, room) != NULL) {
        return true;
    }
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        path[--size] = '\0';
    }
    char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    if (errno != ENOENT || strcmp(last, "..") == 0 || strcmp(last, ".") == 0) {
        return false;
    }
    if (slash != NULL) {
        *slash = '\0';
    }
    if (realpath(slash == NULL ? "." : path[0] == '\0' ? "/" : path, room) == NULL) {
        return false;
    }
    size_t used = strlen(room);
    const char *between = room[used - 1] == '/' ? "" : "/";
    errno = ENAMETOOLONG;
    return text_join(room + used, PATH_MAX - used, (const char *const[]){between, last, NULL}) != 0;
}

static void answer_resolved(uint32_t id, char *path) {
    char room[PATH_MAX];
    if (resolve(path, room)) {
        answer_name(id, room);
    } else {
        answer_errno(id, errno);
    }
}

void sftp_realpath(struct request *request) {
    char *path = request_text(request);
    if (!is_bad(request)) {
        answer_resolved(request->id, path);
    }
}

/* The home that `~` or `~name` stands for, or NULL; `name` is cut out of the path. */
static const char *home_of(char *name) {
    static struct user user;
    if (name[0] == '\0') {
        return getenv("HOME");
    }
    return strchr(name, ':') == NULL && user_find(name, &user) && user.name[0] != '\0' ? user.home : NULL;
}

void sftp_expand_path(struct request *request) {
    char *path = request_text(request);
    char room[PATH_MAX];
    if (is_bad(request)) {
        return;
    }
    if (path[0] != '~') {
        answer_resolved(request->id, path);
        return;
    }
    char *rest = strchr(path, '/');
    if (rest != NULL) {
        *rest++ = '\0';
    }
    const char *home = home_of(path + 1);
    if (home == NULL || !text_join(room, sizeof room, (const char *const[]){home, "/", rest ? rest : "", NULL})) {
        answer_errno(request->id, home == NULL ? ENOENT : ENAMETOOLONG);
        return;
    }
    answer_resolved(request->id, room);
}

/* The protocol's own RENAME replaces nothing. */
static int rename_new(const char *from, const char *to) {
    struct stat found;
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, NO_REPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    if (lstat(to, &found) == 0) { /* a file system that cannot do both at once */
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static void between(struct request *request, int (*act)(const char *, const char *)) {
    const char *first = request_text(request);
    const char *second = request_text(request);
    if (!is_bad(request)) {
        answer_result(request->id, act(first, second));
    }
}

void sftp_rename(struct request *request) {
    between(request, rename_new);
}

void sftp_posix_rename(struct request *request) {
    between(request, rename);
}

/* Target first, as OpenSSH has it; the draft has it the other way round. */
void sftp_symlink(struct request *request) {
    between(request, symlink);
}

void sftp_hardlink(struct request *request) {
    between(request, link);
}

void sftp_readlink(struct request *request) {
    const char *path = request_text(request);
    char room[PATH_MAX];
    if (is_bad(request)) {
        return;
    }
    ssize_t size = readlink(path, room, sizeof room - 1);
    if (size < 0) {
        answer_errno(request->id, errno);
        return;
    }
    room[size] = '\0';
    answer_name(request->id, room);
}
