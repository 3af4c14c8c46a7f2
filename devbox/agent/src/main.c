#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "door.h"
#include "init.h"
#include "machine.h"
#include "own.h"
#include "serve.h"
#include "settle.h"
#include "stream.h"
#include "text.h"
#include "wire.h"

#ifndef AGENT_BUILD
#define AGENT_BUILD "0000000000000000"
#endif

enum { USAGE = 2 };

struct options {
    struct serving serving;
    const char *port;
};

static int usage(void) {
    static const char text[] = "usage: agent serve --socket PATH --identity TEXT [--inside]\n"
                               "       agent stream --socket PATH\n"
                               "       agent machine\n"
                               "       agent off\n"
                               "       agent settle\n"
                               "       agent line --port PATH --socket PATH   (a seam for the tests of the line)\n"
                               "       agent own UID:GID DIRECTORY...\n"
                               "       agent version\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

static bool parse(int count, char **words, struct options *options) {
    for (int index = 2; index < count; index++) {
        bool more = index + 1 < count;
        if (strcmp(words[index], "--socket") == 0 && more) {
            options->serving.socket = words[++index];
        } else if (strcmp(words[index], "--identity") == 0 && more) {
            options->serving.identity = words[++index];
        } else if (strcmp(words[index], "--port") == 0 && more) {
            options->port = words[++index];
        } else if (strcmp(words[index], "--inside") == 0) {
            options->serving.inside = true;
        } else {
            return false;
        }
    }
    return options->serving.socket != NULL;
}

static int stream(const char *path) {
    int fd = door_connect(path);
    return fd < 0 ? serve_fail(path) : stream_copy(fd);
}

static int version(void) {
    char room[21];
    const char *const parts[] = {text_number(room, WIRE_VERSION), " ", AGENT_BUILD, "\n", NULL};
    text_say(STDOUT_FILENO, parts);
    return 0;
}

/* What takes no options. -1: it is something else. */
static int run_bare(int count, char **words) {
    if (count > 0 && strcmp(words[0], "/init") == 0 && init_is_first()) {
        boot(words);
    }
    if (count == 2 && strcmp(words[1], "version") == 0) {
        return version();
    }
    if (count == 2 && strcmp(words[1], "machine") == 0) {
        return machine();
    }
    if (count == 2 && strcmp(words[1], "off") == 0) {
        return machine_off();
    }
    if (count == 2 && strcmp(words[1], SETTLE_VERB) == 0) {
        return settle();
    }
    if (count > 3 && strcmp(words[1], "own") == 0) {
        return own_directories(words[2], words + 3);
    }
    return -1;
}

static int run(const char *verb, const struct options *options) {
    const struct serving *serving = &options->serving;
    if (strcmp(verb, "serve") == 0 && options->port == NULL && serving->identity != NULL) {
        return serve_is_good(serving) ? serve(serving) : usage();
    }
    if (serving->identity != NULL || serving->inside) {
        return usage();
    }
    if (strcmp(verb, "stream") == 0 && options->port == NULL) {
        return stream(serving->socket);
    }
    if (strcmp(verb, "line") == 0 && options->port != NULL) {
        return machine_line(options->port, serving->socket);
    }
    return usage();
}

int main(int count, char **words) {
    struct options options = {0};
    int status = run_bare(count, words);
    if (status >= 0) {
        return status;
    }
    if (count < 2 || !parse(count, words, &options)) {
        return usage();
    }
    return run(words[1], &options);
}
