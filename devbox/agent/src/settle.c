#include "settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve.h"
#include "settle_facts.h"

enum { FIRST_ROOM = 65536, BASE = 10, FIRST = -19 };

static const struct kind {
    const char *name;
    bool (*is_good)(const struct fact *fact);
    bool (*settle)(const struct fact *fact);
} kinds[] = {
    {"time", settle_is_time, settle_time},
    {"seed", settle_is_seed, settle_seed},
    {"mac", settle_is_mac, settle_mac},
    {"wire", settle_is_wire, settle_wire},
    {"machine-id", settle_is_id, settle_machine_id},
    {"hosts", settle_is_text, settle_word},
    {"hostname.line", settle_is_text, settle_word},
    {"hostname", settle_is_text, settle_hostname},
    {"environment", NULL, settle_word},
    {"identity", settle_is_text, settle_identity},
    {"grow", settle_is_text, settle_grow},
    {"data", settle_is_text, settle_data},
    {"renamed", settle_is_renamed, settle_renamed},
    {"left", settle_is_text, settle_left},
    {"volume", settle_is_volume, settle_volume},
    {"file", settle_is_file, settle_file},
};

static char *read_all(size_t *size) {
    size_t room = 0;
    char *bytes = NULL;
    ssize_t got = 1;
    for (*size = 0; got > 0; *size += (size_t)got) {
        if (*size == room) {
            room = room == 0 ? FIRST_ROOM : 2 * room;
            char *more = room > SETTLE_MOST ? NULL : realloc(bytes, room);
            if (more == NULL) {
                errno = room > SETTLE_MOST ? EFBIG : ENOMEM;
                return NULL;
            }
            bytes = more;
        }
        got = read(STDIN_FILENO, bytes + *size, room - *size);
        if (got < 0) {
            return NULL;
        }
    }
    return bytes;
}

/* The text at `*at`, and `*at` behind its NUL; NULL: there is none. */
static const char *take_word(const char **at, const char *end) {
    const char *word = *at;
    const char *nul = memchr(word, '\0', (size_t)(end - word));
    if (nul != NULL) {
        *at = nul + 1;
    }
    return nul == NULL ? NULL : word;
}

static bool take_fact(const char **at, const char *end, struct fact *fact) {
    fact->kind = take_word(at, end);
    const char *digits = fact->kind == NULL ? NULL : take_word(at, end);
    if (digits == NULL || *digits < '0' || *digits > '9') {
        return false;
    }
    char *behind;
    fact->size = strtoul(digits, &behind, BASE);
    if (*behind != '\0' || fact->size >= (size_t)(end - *at) || (*at)[fact->size] != '\0') {
        return false;
    }
    fact->value = *at;
    *at += fact->size + 1;
    return true;
}

static const struct kind *find_kind(const struct fact *fact) {
    for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; index++) {
        if (strcmp(kinds[index].name, fact->kind) == 0) {
            return &kinds[index];
        }
    }
    return NULL;
}

static bool are_good(const char *at, const char *end) {
    while (at < end) {
        struct fact fact;
        const struct kind *kind = take_fact(&at, end, &fact) ? find_kind(&fact) : NULL;
        if (kind == NULL || (kind->is_good != NULL && !kind->is_good(&fact))) {
            errno = EINVAL;
            return false;
        }
    }
    return true;
}

const char *settle_carry_out(const char *at, size_t size) {
    const char *const end = at + size;
    struct fact fact = {.kind = "stdin"};
    settle_begin();
    if (!are_good(at, end)) {
        return fact.kind;
    }
    while (at < end && take_fact(&at, end, &fact)) {
        if (!find_kind(&fact)->settle(&fact)) {
            int error = errno;
            (void)settle_end();
            errno = error;
            return find_kind(&fact)->name;
        }
    }
    return settle_end() ? NULL : "volume";
}

int settle(void) {
    size_t size;
    const char *told = read_all(&size);
    if (told == NULL) {
        return serve_fail("stdin");
    }
    /* A machine that boots has a hundred programs to start, and all wait for this one. */
    (void)setpriority(PRIO_PROCESS, 0, FIRST);
    umask(022);
    const char *failed = settle_carry_out(told, size);
    return failed == NULL ? 0 : serve_fail(failed);
}
