#include "userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MOST = 65536, FIELDS_MOST = 7 };

/* A text file by lines; a line that is too long is skipped whole. */
struct lines {
    int fd;
    size_t start;
    size_t end;
    bool skipping;
    char bytes[LINE_MOST];
};

static bool fill(struct lines *lines) {
    if (lines->start > 0) {
        memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    } else if (lines->end == LINE_MOST) {
        lines->end = 0;
        lines->skipping = true;
    }
    ssize_t got;
    do {
        got = read(lines->fd, lines->bytes + lines->end, LINE_MOST - lines->end);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    lines->end += (size_t)got;
    return true;
}

/* The next line without its end, or NULL; a last line without an end counts. */
static char *next_line(struct lines *lines) {
    for (;;) {
        char *line = lines->bytes + lines->start;
        size_t size = lines->end - lines->start;
        char *end = size > 0 ? memchr(line, '\n', size) : NULL;
        if (end != NULL) {
            bool skipped = lines->skipping;
            lines->start = (size_t)(end - lines->bytes) + 1;
            lines->skipping = false;
            *end = '\0';
            if (!skipped) {
                return line;
            }
        } else if (!fill(lines)) {
            line = lines->bytes + lines->start;
            size = lines->end - lines->start;
            if (size == 0 || size == LINE_MOST || lines->skipping) {
                return NULL;
            }
            lines->start = lines->end;
            line[size] = '\0';
            return line;
        }
    }
}

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

static bool open_lines(struct lines *lines, const char *path) {
    lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* not to hang on a pipe of that name */
    lines->start = 0;
    lines->end = 0;
    lines->skipping = false;
    return lines->fd >= 0;
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

/* Find by number if there is one, else by name. */
static bool find_user(struct lines *lines, const char *name, const uint32_t *number, struct user *user) {
    bool found = false;
    char *line;
    if (!open_lines(lines, "/etc/passwd")) {
        return false;
    }
    while (!found && (line = next_line(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t uid;
        if (split(line, fields) >= 6 && parse_id(fields[2], &uid)) {
            bool wanted = number != NULL ? uid == *number : strcmp(fields[0], name) == 0;
            found = wanted && take_entry(fields, uid, user);
        }
    }
    close(lines->fd);
    return found;
}

static bool find_group(struct lines *lines, const char *name, gid_t *gid) {
    bool found = false;
    char *line;
    if (!open_lines(lines, "/etc/group")) {
        return false;
    }
    while (!found && (line = next_line(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t id;
        if (split(line, fields) >= 3 && strcmp(fields[0], name) == 0 && parse_id(fields[2], &id)) {
            *gid = id;
            found = true;
        }
    }
    close(lines->fd);
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
    if (user->name[0] == '\0' || !open_lines(lines, "/etc/group")) {
        return;
    }
    while (user->group_count < USER_GROUPS_MOST && (line = next_line(lines)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t gid;
        if (split(line, fields) >= 4 && parse_id(fields[2], &gid) && is_member(fields[3], user->name)) {
            user->groups[user->group_count++] = gid;
        }
    }
    close(lines->fd);
}

bool user_find(char *text, struct user *user) {
    static struct lines lines;
    uint32_t number;
    char *group = strchr(text, ':');
    if (group != NULL) {
        *group++ = '\0';
    }
    const char *name = text[0] != '\0' ? text : "0";
    bool numeric = parse_id(name, &number);
    *user = (struct user){.home = "/"};
    if (!find_user(&lines, name, numeric ? &number : NULL, user)) {
        if (!numeric) {
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
