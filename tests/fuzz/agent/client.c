/* A client that says anything, to the agent's own connection, channels and processes; the processes are played here,
   and nothing is forked, connected or signalled. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "channel.h"
#include "dispatch.h"
#include "launch.h"
#include "listener.h"
#include "loop.h"
#include "message.h"
#include "process.h"
#include "relay.h"
#include "sessions.h"
#include "settling.h"
#include "spawn.h"
#include "target.h"
#include "userdb.h"
#include "vanish.h"

enum { CHILDREN_MOST = 16, FIRST_PID = 0x3fffff00, TURNS_AT_END = 64 };
enum { SAYS_HELLO = 1, READS_NOTHING = 2, ENDS_EARLY = 4 }; /* the first byte of the input; the rest of it: pieces */

struct child {
    pid_t pid;
    int fds[3];
    int report;
    bool reaped;
};

static struct child children[CHILDREN_MOST];
static size_t count;
static struct source always;

static void ignore(struct source *source, uint32_t events) {
    (void)source;
    (void)events;
}

static void close_one(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

pid_t launch(struct exec_message *message, struct plumbing *plumbing) {
    if (count == CHILDREN_MOST || !plumbing_open(plumbing, message)) {
        errno = EAGAIN;
        return -1;
    }
    struct child *child = &children[count];
    *child = (struct child){.pid = FIRST_PID + (pid_t)count, .report = plumbing->report_theirs};
    for (int index = 0; index < 3; index++) {
        child->fds[index] = plumbing->theirs[index];
        (void)fcntl(child->fds[index], F_SETFL, fcntl(child->fds[index], F_GETFL) | O_NONBLOCK);
    }
    count++;
    return child->pid;
}

/* Every fourth comes to nothing, and every other fourth says nothing of itself. */
static void settle(struct child *child) {
    struct spawn_report good = {.stage = 0, .value = 1000};
    struct spawn_report bad = {.stage = STAGE_EXEC, .value = ENOENT};
    if (child->report >= 0 && child->pid % 4 != 3) {
        (void)!write(child->report, &good, sizeof good);
        (void)!(child->pid % 4 == 2 ? write(child->report, &bad, sizeof bad) : 0);
    }
    close_one(&child->report);
}

static void echo(struct child *child) {
    char bytes[3000];
    ssize_t got = child->fds[0] >= 0 ? read(child->fds[0], bytes, sizeof bytes) : 0;
    for (int index = 1; index < 3 && got > 0; index++) {
        (void)!write(child->fds[index], bytes, (size_t)got);
    }
}

static void end(struct child *child, int status) {
    close_one(&child->report);
    for (int index = 0; index < 3; index++) {
        close_one(&child->fds[index]);
    }
    if (!child->reaped) {
        child->reaped = true;
        sessions_reaped(child->pid, status);
    }
}

static void turn(void) {
    loop_turn();
    connection_sweep();
}

static void play(uint8_t how) {
    for (size_t index = 0; index < count; index++) {
        settle(&children[index]);
        echo(&children[index]);
        if ((how & ENDS_EARLY) != 0) {
            end(&children[index], how << 8);
        }
    }
}

static void hear(int fd, uint8_t how) {
    char bytes[65536];
    while ((how & READS_NOTHING) == 0 && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        continue;
    }
}

static void say(int fd, const uint8_t *bytes, size_t size, uint8_t how) {
    size_t piece = (size_t)1 << (how >> 3); /* 1 byte to 2 GiB, that is: all at once */
    while (size > 0) {
        size_t some = piece < size ? piece : size;
        ssize_t sent = send(fd, bytes, some, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
        turn();
        play(how);
        turn();
        hear(fd, how);
    }
}

static void greet(int fd, uint8_t how) {
    static const uint8_t hello[] = {16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'D', 'E', 'V', 'B',
                                    'O', 'X', 'A', 'G', 1, 0, 0, 0, 0, 0, 0, 0};
    if ((how & SAYS_HELLO) != 0) {
        say(fd, hello, sizeof hello, 0xf8);
    }
}

static int lowest_free(void) {
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static void prepare(void) {
    if (connection_facts.identity == NULL) {
        connection_facts.identity = "identity";
        signal(SIGPIPE, SIG_IGN); /* the agent blocks it */
        if (!loop_open() || !source_open(&always, eventfd(1, EFD_CLOEXEC), ignore)) {
            abort();
        }
        source_want(&always, EPOLLIN); /* no turn of the loop waits */
    }
}

void client_run(const uint8_t *bytes, size_t size) {
    int ends[2];
    prepare();
    count = 0;
    int before = lowest_free();
    if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return;
    }
    uint8_t how = bytes[0];
    if (dispatch_open(ends[0])) {
        greet(ends[1], how);
        say(ends[1], bytes + 1, size - 1, how);
    }
    bool vanishes = size % 2 == 0; /* before its processes have ended, or after */
    if (vanishes) {
        close_one(&ends[1]);
        turn();
    }
    for (size_t index = 0; index < count; index++) {
        end(&children[index], how);
    }
    turn();
    close_one(&ends[1]);
    for (int turns = 0; turns < TURNS_AT_END; turns++) {
        turn();
    }
    if (lowest_free() != before || !sessions_empty()) {
        abort(); /* something was left open */
    }
}

/* What a client would reach through the agent: read as it is, and then refused. */
void relay_connect(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    struct connect_message message;
    struct address address;
    char text[64];
    struct channel refused = {.connection = connection, .number = channel};
    if (!decode_connect(payload, size, &message)) {
        connection_violation(connection, "bad CONNECT");
        return;
    }
    bool local = message.kind == CONNECT_UNIX;
    if (local ? address_unix(&address, message.host) : address_ip(&address, message.host, message.port)) {
        (void)address_tell(&address, text);
    }
    channel_fail(&refused, ECONNREFUSED, STAGE_CONNECT, "nobody is there");
}

void listener_open(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    static struct user user;
    struct listen_message message;
    struct channel refused = {.connection = connection, .number = channel};
    if (!decode_listen(payload, size, &message)) {
        connection_violation(connection, "bad LISTEN");
        return;
    }
    (void)user_find(message.user, &user);
    channel_fail(&refused, EADDRINUSE, STAGE_LISTEN, "the address cannot be listened on");
}

/* This is no agent of a machine. */
bool settling_is(const struct exec_message *message) {
    (void)message;
    return false;
}

void settling_open(struct connection *connection, uint32_t number, uint32_t window) {
    (void)connection;
    (void)number;
    (void)window;
}

int kill(pid_t pid, int number) {
    (void)number;
    errno = ESRCH;
    return pid > 0 ? 0 : -1;
}

void vanish_start(pid_t session) {
    (void)session;
}

void vanish_forget(pid_t session) {
    (void)session;
}
