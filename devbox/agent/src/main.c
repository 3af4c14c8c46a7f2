#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "door.h"
#include "init.h"
#include "loop.h"
#include "own.h"
#include "spawn.h"
#include "stream.h"
#include "text.h"
#include "wire.h"

#ifndef AGENT_BUILD
#define AGENT_BUILD "0000000000000000"
#endif

enum { IDENTITY_MOST = 256, USAGE = 2 };

struct options {
    const char *socket;
    const char *identity;
    bool inside;
};

static int fail(const char *what) {
    text_say(STDERR_FILENO, (const char *const[]){"agent: ", what, ": ", strerror(errno), "\n", NULL});
    return 1;
}

static int usage(void) {
    static const char text[] = "usage: agent serve --socket PATH --identity TEXT [--inside]\n"
                               "       agent stream --socket PATH\n"
                               "       agent own UID:GID DIRECTORY...\n"
                               "       agent version\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

static bool parse(int count, char **words, struct options *options) {
    for (int index = 2; index < count; index++) {
        bool more = index + 1 < count;
        if (strcmp(words[index], "--socket") == 0 && more) {
            options->socket = words[++index];
        } else if (strcmp(words[index], "--identity") == 0 && more) {
            options->identity = words[++index];
        } else if (strcmp(words[index], "--inside") == 0) {
            options->inside = true;
        } else {
            return false;
        }
    }
    return options->socket != NULL;
}

/* So that no pipe of ours ever is a standard stream. */
static bool fill_standard_streams(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

static void choose_boot_id(void) {
    uint8_t *id = connection_facts.boot_id;
    if (getrandom(id, WIRE_BOOT_ID, GRND_NONBLOCK) == WIRE_BOOT_ID) {
        return;
    }
    struct timespec now = {0}; /* a machine that has just started has nothing random yet; new is enough */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    memcpy(id, &now.tv_sec, sizeof now.tv_sec);
    memcpy(id + WIRE_BOOT_ID / 2, &now.tv_nsec, sizeof now.tv_nsec);
}

static int serve(const struct options *options) {
    if (options->identity == NULL || strlen(options->identity) > IDENTITY_MOST) {
        return usage();
    }
    connection_facts.identity = options->identity;
    choose_boot_id();
    if (!fill_standard_streams() || !spawn_prepare()) {
        return fail("descriptors");
    }
    if (init_is_first() && !door_close_directory()) {
        return fail("/run/devbox");
    }
    if (!loop_open() || !init_open()) {
        return fail("start");
    }
    if (!door_open(options->socket, options->inside)) {
        return fail(options->socket);
    }
    while (!init_has_ended()) {
        loop_turn();
        connection_sweep();
    }
    door_remove();
    return 0;
}

static int stream(const struct options *options) {
    int fd = door_connect(options->socket);
    return fd < 0 ? fail(options->socket) : stream_copy(fd);
}

static int version(void) {
    char room[21];
    const char *const parts[] = {text_number(room, WIRE_VERSION), " ", AGENT_BUILD, "\n", NULL};
    text_say(STDOUT_FILENO, parts);
    return 0;
}

int main(int count, char **words) {
    struct options options = {0};
    if (count == 2 && strcmp(words[1], "version") == 0) {
        return version();
    }
    if (count > 3 && strcmp(words[1], "own") == 0) {
        return own_directories(words[2], words + 3);
    }
    if (count < 2 || !parse(count, words, &options)) {
        return usage();
    }
    if (strcmp(words[1], "serve") == 0) {
        return serve(&options);
    }
    if (strcmp(words[1], "stream") == 0 && options.identity == NULL && !options.inside) {
        return stream(&options);
    }
    return usage();
}
