#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "userdb.h"

enum { FILES = 2, TEXT_MOST = 64 };

static const char *const paths[FILES] = {"/etc/passwd", "/etc/group"};
static struct stat then[FILES];
static char asked[TEXT_MOST];
static struct user expected;
static bool known;

static bool look(struct stat found[static FILES]) {
    memset(found, 0, FILES * sizeof *found);
    for (int index = 0; index < FILES; index++) {
        if (stat(paths[index], &found[index]) != 0) {
            return false;
        }
    }
    return true;
}

/* One that is changed twice within the clock's step looks as after the first time. */
static bool rests(const struct stat *file) {
    return file->st_ctim.tv_sec + 1 < time(NULL);
}

static bool same(const struct stat *one, const struct stat *other) {
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
           memcmp(&one->st_mtim, &other->st_mtim, sizeof one->st_mtim) == 0 &&
           memcmp(&one->st_ctim, &other->st_ctim, sizeof one->st_ctim) == 0;
}

const struct user *user_expect(const char *text) {
    char copy[TEXT_MOST];
    known = false; /* of before, in memory that another one has left */
    if (strlen(text) >= sizeof copy || !look(then) || !rests(&then[0]) || !rests(&then[1])) {
        return NULL;
    }
    strcpy(asked, text);
    known = user_find(strcpy(copy, text), &expected);
    return known ? &expected : NULL;
}

const struct user *user_get(char *text) {
    static struct user other;
    struct stat now[FILES];
    if (known && strcmp(text, asked) == 0 && look(now) && same(&now[0], &then[0]) && same(&now[1], &then[1])) {
        return &expected;
    }
    return user_find(text, &other) ? &other : NULL;
}
