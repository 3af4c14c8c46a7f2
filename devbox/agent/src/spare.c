#include "spare.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "credentials.h"
#include "init.h"
#include "loop.h"
#include "vanish.h"
#include "wire.h"

enum { ROOM = 65536, SOON = 30 }; /* ms until a small program has ended, which goes before */
enum { WAY = SPAWN_PASSED, FDS_MOST, USER_MOST = 64, STACK = 262144, USED = 16384 };
/* What needs more than this to be given is started with plumbing of its own. */
enum { UNCOMMON = EXEC_TERMINAL | EXEC_STDIN | EXEC_DETACH | EXEC_SFTP | EXEC_SYNC };

struct request {
    struct spawn spawn;
    struct exec_message message;
};

/* The kernel's own structures, which are not those of libc. */
struct rights {
    size_t size;
    int level;
    int type;
    int passed[FDS_MOST];
};

struct packet {
    void *name;
    size_t name_size;
    struct iovec *parts;
    size_t part_count;
    struct rights *rights;
    size_t rights_size;
    size_t flags;
};

static int zygote = -1; /* the way to the process that bears the ones that wait */
static int way = -1;    /* to the one that waits, or will in a moment */
static struct plumbing ready;
static struct timer timer;
static char user[USER_MOST]; /* of whom it will probably be: all that the zygote is told, beside the descriptors */
static char its_user[USER_MOST];
static uint8_t words[ROOM]; /* what one is told */
static size_t heard = 1;    /* so many of them */
static _Alignas(16) uint8_t stack[STACK];
static int held; /* by one that was made: the zygote's memory. The kernel clears it when that is over */

static size_t size_of(size_t descriptors) {
    return offsetof(struct rights, passed) + descriptors * sizeof(int);
}

static bool send_to(int to, struct iovec *parts, size_t count, const int *passed, size_t descriptors) {
    struct rights rights = {.size = size_of(descriptors), .level = SOL_SOCKET, .type = SCM_RIGHTS};
    memcpy(rights.passed, passed, descriptors * sizeof *passed);
    struct packet packet = {.parts = parts, .part_count = count};
    if (descriptors > 0) {
        packet.rights = &rights;
        packet.rights_size = sizeof rights;
    }
    return syscall(SYS_sendmsg, to, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0; /* all or nothing */
}

/* In one of the children: how many descriptors came with it; -1 at the end. */
static ssize_t receive(int from, struct iovec *parts, size_t count, struct rights *rights) {
    *rights = (struct rights){.size = 0};
    struct packet packet = {.parts = parts, .part_count = count, .rights = rights, .rights_size = sizeof *rights};
    if (syscall(SYS_recvmsg, from, &packet, MSG_CMSG_CLOEXEC) <= 0) {
        return -1;
    }
    return rights->size == 0 ? 0 : (ssize_t)((rights->size - size_of(0)) / sizeof(int));
}

/* The texts lie elsewhere now. */
static void move_texts(struct exec_message *message, const uint8_t *bytes) {
    intptr_t distance = (intptr_t)bytes - (intptr_t)message->bytes;
    message->user += distance;
    message->cwd += distance;
    message->argv.first += distance;
    if (message->env.count > 0) {
        message->env.first += distance;
    }
}

/* Nobody is to know what the one before was started with. What is written to first is there already then. */
static void clear(void) {
    memset(words, 0, heard);
    memset(stack + sizeof stack - USED, 0, USED);
}

static int wait_in_child(void *arguments) {
    struct rights *rights = arguments;
    struct request request = {.spawn = {.placed = false}};
    struct iovec parts[] = {{&request, sizeof request}, {words, sizeof words}};
    pid_t own = getpid();
    (void)syscall(SYS_set_tid_address, &held);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "agent-next", 0, 0, 0);
    (void)dup3(rights->passed[WAY], SPAWN_KEPT, O_CLOEXEC);
    spawn_place(rights->passed, its_user);
    (void)!write(SPAWN_KEPT, &own, sizeof own);
    heard = sizeof words; /* unless it comes to say how many */
    ssize_t passed = receive(SPAWN_KEPT, parts, 2, rights);
    heard = request.message.size;
    if (passed != (request.spawn.placed ? 0 : SPAWN_PASSED)) {
        _exit(0); /* nobody wants it any more, or it could not be given what it is to have */
    }
    move_texts(&request.message, words);
    request.spawn.message = &request.message;
    memcpy(request.spawn.descriptors, rights->passed, sizeof request.spawn.descriptors);
    spawn_become(&request.spawn);
}

/* One that has our memory until it becomes a program: then none has to be copied, and none to be given back. The agent
   is its parent. */
static bool bear(const struct rights *rights, char **environment) {
    static struct rights its_own; /* we go on meanwhile, and are told of the next one */
    its_own = *rights;
    memcpy(its_user, user, sizeof user);
    clear();
    spawn_afresh(environment);
    __atomic_store_n(&held, 1, __ATOMIC_SEQ_CST);
    return clone(wait_in_child, stack + sizeof stack, CLONE_VM | CLONE_PARENT | SIGCHLD, &its_own) > 0;
}

/* Ends if one still has our memory when the next is wanted, such as one whose program lies on a disk that hangs. */
static _Noreturn void breed(int descriptor) {
    struct rights rights;
    struct iovec part = {user, sizeof user};
    char **environment = environ;
    spawn_begin();
    spawn_keep(descriptor);
    (void)prctl(PR_SET_NAME, "agent-zygote", 0, 0, 0);
    while (receive(SPAWN_KEPT, &part, 1, &rights) == FDS_MOST && __atomic_load_n(&held, __ATOMIC_SEQ_CST) == 0 &&
           bear(&rights, environment)) {
        for (int index = 0; index < FDS_MOST; index++) {
            close(rights.passed[index]);
        }
    }
    _exit(0);
}

static void close_one(int *fd) {
    close(*fd); /* or there is none: -1 */
    *fd = -1;
}

static bool has_zygote(void) {
    int ends[2];
    if (zygote >= 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return zygote >= 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        breed(ends[1]);
    }
    zygote = ends[0];
    close(ends[1]);
    vanish_forget(pid); /* the number may have been that of a session that was to end */
    if (pid < 0) {
        close_one(&zygote);
    }
    return pid > 0;
}

static void make(struct timer *fired) {
    (void)fired;
    int ends[2];
    if (init_is_ending() || !has_zygote() || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return;
    }
    way = ends[0];
    if (!plumbing_open(&ready, &(struct exec_message){.flags = 0})) {
        close(ends[1]);
        close_one(&way);
        return;
    }
    int passed[FDS_MOST] = {ready.theirs[0], ready.theirs[1], ready.theirs[2], ready.report_theirs, ends[1]};
    bool sent = send_to(zygote, &(struct iovec){user, sizeof user}, 1, passed, FDS_MOST);
    close(ends[1]);
    plumbing_close_theirs(&ready);
    if (!sent) { /* it was killed: another one the next time */
        spare_drop();
    }
}

/* In a container fork is quick, and where memory is used up, whoever asks for more may be the one that is ended. */
static bool is_of_use(void) {
    return credentials_of_machine || !init_is_first();
}

void spare_soon(const char *whose) {
    if (way < 0 && !timer.set && is_of_use()) {
        strncpy(user, whose, sizeof user - 1);
        timer_start(&timer, SOON, make);
    }
}

static void leave(void) {
    if (way >= 0) {
        plumbing_close_ours(&ready);
        close_one(&way);
    }
}

void spare_drop(void) {
    timer_stop(&timer);
    leave();
    close_one(&zygote);
}

static bool is_for(const struct exec_message *message) {
    return way >= 0 && message->size <= ROOM && (message->flags & (EXEC_SFTP | EXEC_SYNC)) == 0;
}

/* Of one that has ended its side is closed, and it is told nothing. One that is killed right now may have heard: then
   what it was to become is killed. */
static pid_t tell(const struct spawn *spawn) {
    pid_t pid;
    struct request request = {*spawn, *spawn->message};
    void *bytes = (void *)(uintptr_t)request.message.bytes;
    struct iovec parts[] = {{&request, sizeof request}, {bytes, request.message.size}};
    ssize_t got = recv(way, &pid, sizeof pid, MSG_DONTWAIT);
    if (got < 0) {
        return 0; /* it is not there yet */
    }
    bool told = got > 0 && send_to(way, parts, 2, spawn->descriptors, spawn->placed ? 0 : SPAWN_PASSED);
    return told && kill(pid, 0) == 0 ? pid : -1; /* the zygote may hold the other end of one that has gone */
}

pid_t spare_plumbed(struct exec_message *message, struct plumbing *plumbing) {
    if (!is_for(message) || (message->flags & UNCOMMON) != 0) {
        return -1;
    }
    pid_t pid = tell(&(struct spawn){.message = message, .queue = -1, .placed = true});
    if (pid > 0) {
        *plumbing = ready;
        close_one(&way);
    } else if (pid < 0) {
        leave();
    }
    return pid > 0 ? pid : -1;
}

pid_t spare_start(const struct spawn *spawn) {
    pid_t pid = is_for(spawn->message) ? tell(spawn) : 0;
    if (pid != 0) {
        leave();
    }
    return pid > 0 ? pid : -1;
}
