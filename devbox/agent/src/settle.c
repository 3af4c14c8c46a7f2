#include "settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve.h"
#include "settle_facts.h"

enum { FIRST_ROOM = 65536, MOST = 64 << 20, BASE = 10, FIRST = -19 };

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

static void forget(char *bytes, size_t size) {
    if (bytes != NULL) {
        explicit_bzero(bytes, size);
    }
    free(bytes);
}

static char *read_all(size_t *size) {
    size_t room = 0;
    char *bytes = NULL;
    ssize_t got = 1;
    for (*size = 0; got > 0; *size += (size_t)got) {
        if (*size == room) {
            room = room == 0 ? FIRST_ROOM : 2 * room;
            char *more = room > MOST ? NULL : malloc(room);
            if (more == NULL) {
                errno = room > MOST ? EFBIG : ENOMEM;
                return NULL;
            }
            if (bytes != NULL) {
                memcpy(more, bytes, *size);
            }
            forget(bytes, *size);
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

static int fail(const struct fact *fact) {
    int error = errno;
    (void)settle_end();
    errno = error;
    return serve_fail(fact->kind);
}

static int carry_out(const char *at, const char *end) {
    struct fact fact = {.kind = "stdin"};
    while (at < end && take_fact(&at, end, &fact)) {
        if (!find_kind(&fact)->settle(&fact)) {
            return fail(&fact);
        }
    }
    return settle_end() && settle_tell() ? 0 : fail(&fact);
}

int settle(void) {
    size_t size;
    char *told = read_all(&size);
    if (told == NULL || !are_good(told, told + size)) {
        return serve_fail("stdin");
    }
    settle_begin();
    /* A machine that boots has a hundred programs to start, and all wait for this one. */
    (void)setpriority(PRIO_PROCESS, 0, FIRST);
    umask(022);
    int status = carry_out(told, told + size);
    forget(told, size); /* the memory may be that of who starts the next program */
    return status;
}
