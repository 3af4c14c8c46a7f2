#include "userdb.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lines.h"

enum { FIELDS_MOST = 7 };

static size_t split(char *line, char *fields[static FIELDS_MOST]) {
    size_t count = 0;
    while (count < FIELDS_MOST) {
        fields[count++] = line;
        char *colon = strchr(line, ':');
        if (colon == NULL) {
            break;
        }
        *colon = '\0';
        line = colon + 1;
    }
    return count;
}

/* A decimal number below 2^32 - 1, which as an id means "none". */
static bool parse_id(const char *text, uint32_t *id) {
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
        if (value >= UINT32_MAX) {
            return false;
        }
    }
    *id = (uint32_t)value;
    return true;
}

static bool take_entry(char *fields[static FIELDS_MOST], uint32_t uid, struct user *user) {
    uint32_t gid;
    if (!parse_id(fields[3], &gid) || strlen(fields[0]) >= sizeof user->name) {
        return false;
    }
    user->uid = uid;
    user->gid = gid;
    strcpy(user->name, fields[0]);
    if (fields[5][0] == '/' && strlen(fields[5]) < sizeof user->home) {
        strcpy(user->home, fields[5]);
    }
    return true;
}

/* Find by number if there is one, else by name. `*unknown`: there may be one, but the file cannot be read. */
static bool find_user(struct lines *lines, const char *name, const uint32_t *number, struct user *user, bool *unknown) {
    bool found = false;
    char *line;
    *unknown = false;
    if (!lines_open(lines, "/etc/passwd")) {
        *unknown = errno != ENOENT && errno != ENOTDIR;
        return false;
    }
    while (!found && (line = lines_next(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t uid;
        if (split(line, fields) >= 6 && parse_id(fields[2], &uid)) {
            bool wanted = number != NULL ? uid == *number : strcmp(fields[0], name) == 0;
            found = wanted && take_entry(fields, uid, user);
        }
    }
    lines_close(lines);
    return found;
}

static bool find_group(struct lines *lines, const char *name, gid_t *gid) {
    bool found = false;
    char *line;
    if (!lines_open(lines, "/etc/group")) {
        return false;
    }
    while (!found && (line = lines_next(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t id;
        if (split(line, fields) >= 3 && strcmp(fields[0], name) == 0 && parse_id(fields[2], &id)) {
            *gid = id;
            found = true;
        }
    }
    lines_close(lines);
    return found;
}

static bool is_member(char *members, const char *name) {
    size_t size = strlen(name);
    for (char *member = members; member != NULL; member = strchr(member, ',')) {
        member += *member == ',';
        if (strncmp(member, name, size) == 0 && (member[size] == ',' || member[size] == '\0')) {
            return true;
        }
    }
    return false;
}

static void find_memberships(struct lines *lines, struct user *user) {
    char *line;
    if (user->name[0] == '\0' || !lines_open(lines, "/etc/group")) {
        return;
    }
    while (user->group_count < USER_GROUPS_MOST && (line = lines_next(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t gid;
        if (split(line, fields) >= 4 && parse_id(fields[2], &gid) && is_member(fields[3], user->name)) {
            user->groups[user->group_count++] = gid;
        }
    }
    lines_close(lines);
}

bool user_find(char *text, struct user *user) {
    static struct lines lines;
    uint32_t number;
    bool unknown;
    char *group = strchr(text, ':');
    if (group != NULL) {
        *group++ = '\0';
    }
    const char *name = text[0] != '\0' ? text : "0";
    bool numeric = parse_id(name, &number);
    *user = (struct user){.home = "/"};
    if (!find_user(&lines, name, numeric ? &number : NULL, user, &unknown)) {
        if (!numeric || (unknown && group == NULL && number != 0)) { /* not with another group than the user's */
            return false;
        }
        user->uid = number;
        user->gid = 0;
    }
    if (group == NULL) {
        user->groups[user->group_count++] = user->gid;
        find_memberships(&lines, user);
        return true;
    }
    if (parse_id(group, &number)) {
        user->gid = number;
        return true;
    }
    return find_group(&lines, group, &user->gid);
}
