#include "own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

enum { STEP = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, BASE = 10 };

/* One number of "uid:gid", and what comes after it; NULL if there is none. */
static const char *number(const char *text, unsigned *value) {
    char *end;
    errno = 0;
    unsigned long found = strtoul(text, &end, BASE);
    if (*text < '0' || *text > '9' || errno != 0 || found >= UINT_MAX) {
        return NULL;
    }
    *value = (unsigned)found;
    return end;
}

/* The directory at an absolute path, name by name: one that the user has replaced by a link leads nowhere. */
static int open_directory(char *path) {
    errno = EINVAL;
    int at = *path == '/' ? open("/", STEP) : -1;
    char *rest;
    for (char *name = strtok_r(path, "/", &rest); name != NULL && at >= 0; name = strtok_r(NULL, "/", &rest)) {
        int next = openat(at, name, STEP);
        close(at);
        at = next;
    }
    return at;
}

static bool give(char *path, uid_t uid, gid_t gid) {
    int directory = open_directory(path);
    struct stat found;
    bool done = directory >= 0 && fstat(directory, &found) == 0 &&
                (found.st_uid != 0 || fchown(directory, uid, gid) == 0);
    if (directory >= 0) {
        close(directory);
    }
    return done;
}

int own_directories(const char *owner, char *const *paths) {
    unsigned uid = 0;
    unsigned gid = 0;
    const char *rest = number(owner, &uid);
    rest = rest != NULL && *rest == ':' ? number(rest + 1, &gid) : NULL;
    if (rest == NULL || *rest != '\0') {
        text_say(STDERR_FILENO, (const char *const[]){"agent: not uid:gid: ", owner, "\n", NULL});
        return 2;
    }
    int status = 0;
    for (; *paths != NULL; paths++) {
        char *path = strdup(*paths);
        if (path == NULL || !give(path, uid, gid)) {
            text_say(STDERR_FILENO, (const char *const[]){"agent: ", *paths, ": ", strerror(errno), "\n", NULL});
            status = 1;
        }
        free(path);
    }
    return status;
}
