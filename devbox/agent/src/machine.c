#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"
#include "dispatch.h"
#include "door.h"
#include "facts.h"
#include "init.h"
#include "line.h"
#include "loop.h"
#include "port.h"
#include "serve.h"
#include "spare.h"

#define SOCKET_DIRECTORY "/run/devbox/socket"

enum {
    FIRST_PAUSE = 20, /* ms between two looks for the port */
    LONGEST_PAUSE = 1000,
    SYSTEMD_POWEROFF = 38, /* SIGRTMIN+4, as glibc counts */
};

static struct timer timer;
static int64_t pause_time = FIRST_PAUSE;
static const char *agent_socket;

/* A client of this very process. */
static int reach_here(struct source **other) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return -1;
    }
    *other = dispatch_open(ends[1]); /* if there is no place for it, it is closed, and the client told why */
    return ends[0];
}

static int reach_socket(struct source **other) {
    (void)other;
    int fd = door_connect(agent_socket);
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The device comes a moment after its driver, and the agent before may still have it open. */
static void look_for_port(struct timer *fired) {
    char path[PATH_MAX];
    if (port_find("devbox.agent", path, sizeof path) && line_open(path, reach_here)) {
        return;
    }
    timer_start(fired, pause_time, look_for_port);
    pause_time = pause_time * 2 < LONGEST_PAUSE ? pause_time * 2 : LONGEST_PAUSE;
}

static void begin(void) {
    look_for_port(&timer);
}

static bool take_environment(void) {
    size_t size, count = 0;
    char *text = facts_read(MACHINE_FACTS "/environment", &size);
    if (text == NULL) {
        return errno == ENOENT; /* then the machine's own is good enough */
    }
    char **list = calloc(size / 2 + 2, sizeof *list);
    if (list == NULL) {
        return false;
    }
    for (char *item = text; item < text + size; item += strlen(item) + 1) {
        if (strchr(item, '=') != NULL) {
            list[count++] = item;
        }
    }
    environ = list; /* and the text is what is in it, from now on */
    return true;
}

void machine_take_up(void) {
    size_t size;
    const char *identity = facts_read(MACHINE_FACTS "/identity", &size);
    const struct serving serving = {.identity = identity};
    if (identity != NULL && serve_is_good(&serving) && take_environment()) {
        spare_drop(); /* it would have the environment of before */
        serve_as(identity);
    }
}

static _Noreturn void power_off(void) {
    sync();
    (void)reboot(RB_POWER_OFF);
    for (;;) { /* process 1 must not end */
        pause();
    }
}

static int serve_machine(void) {
    size_t size;
    const char *identity = facts_read(MACHINE_FACTS "/identity", &size);
    if (identity == NULL || !take_environment()) {
        return serve_fail(MACHINE_FACTS);
    }
    if (mkdir(SOCKET_DIRECTORY, 0700) != 0 && errno != EEXIST) {
        return serve_fail(SOCKET_DIRECTORY);
    }
    credentials_of_machine = true;
    struct serving serving = {
        .socket = SOCKET_DIRECTORY "/agent.sock",
        .identity = identity,
        .inside = true,
        .begin = begin,
    };
    errno = EINVAL;
    return serve_is_good(&serving) ? serve(&serving) : serve_fail(MACHINE_FACTS "/identity");
}

static bool is_process_1(void) {
    char path[PATH_MAX] = "";
    return readlink("/proc/1/exe", path, sizeof path - 1) > 0 && strcmp(path, MACHINE_AGENT) == 0;
}

int machine_off(void) {
    return kill(1, is_process_1() ? SIGTERM : SYSTEMD_POWEROFF) == 0 ? 0 : serve_fail("process 1");
}

int machine(void) {
    int status = serve_machine();
    if (init_is_first()) {
        power_off();
    }
    return status;
}

int machine_line(const char *port, const char *socket) {
    agent_socket = socket;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || !loop_open() || !line_open(port, reach_socket)) {
        return serve_fail(port);
    }
    while (!port_is_over()) {
        loop_turn();
    }
    return 0;
}
