/* Users and groups out of /etc/passwd and /etc/group, which are whatever the image's author wrote. */
#ifndef USERDB_H
#define USERDB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { USER_GROUPS_MOST = 512, USER_NAME_MOST = 256 };

struct user {
    uid_t uid;
    gid_t gid;
    char name[USER_NAME_MOST]; /* "" if not listed */
    char home[PATH_MAX];       /* "/" if not listed */
    gid_t groups[USER_GROUPS_MOST];
    size_t group_count;
};

/* Who is asked for next in this process: found out now, and good as long as both files are as they were. NULL: nobody. */
const struct user *user_expect(const char *text);
/* As user_find, which is not asked again about who was expected; NULL: no such user or group. */
const struct user *user_get(char *text);
/* `text` is name, uid, name:group or uid:gid; empty: root. False: no such user or group. Changes `text`. */
bool user_find(char *text, struct user *user);

#endif
