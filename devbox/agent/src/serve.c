#include "serve.h"

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
#include "spawn.h"
#include "text.h"
#include "wire.h"

enum { IDENTITY_MOST = 256 };

int serve_fail(const char *what) {
    text_say(STDERR_FILENO, (const char *const[]){"agent: ", what, ": ", strerror(errno), "\n", NULL});
    return 1;
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

bool serve_is_good(const struct serving *serving) {
    return strlen(serving->identity) <= IDENTITY_MOST;
}

void serve_as(const char *identity) {
    connection_facts.identity = identity;
    choose_boot_id();
}

int serve(const struct serving *serving) {
    serve_as(serving->identity);
    if (!fill_standard_streams() || !spawn_prepare()) {
        return serve_fail("descriptors");
    }
    if (init_is_first() && !door_close_directory()) {
        return serve_fail("/run/devbox");
    }
    if (!loop_open() || !init_open()) {
        return serve_fail("start");
    }
    if (!door_open(serving->socket, serving->inside)) {
        return serve_fail(serving->socket);
    }
    if (serving->begin != NULL) {
        serving->begin();
    }
    while (!init_has_ended()) {
        loop_turn();
        connection_sweep();
    }
    door_remove();
    return 0;
}
