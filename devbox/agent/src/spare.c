#include "spare.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "credentials.h"
#include "init.h"
#include "loop.h"
#include "userdb.h"
#include "vanish.h"
#include "wire.h"

enum { ROOM = 65536, SOON = 30 }; /* ms until a small program has ended, which goes before */

struct request {
    struct spawn spawn;
    struct exec_message message;
};

/* The kernel's own structures, which are not those of libc. */
struct rights {
    size_t size;
    int level;
    int type;
    int passed[SPAWN_PASSED];
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

static int way = -1; /* to it */
static pid_t waiting;
static struct timer timer;

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

static void become(struct request *request, uint8_t *bytes, const struct rights *rights) {
    move_texts(&request->message, bytes);
    request->spawn.message = &request->message;
    memcpy(request->spawn.descriptors, rights->passed, sizeof rights->passed);
    spawn_become(&request->spawn);
}

/* Whatever is written to first is copied then. */
static void warm_up(void) {
    static struct user user;
    char root[] = "0";
    (void)user_find(root, &user);
}

static _Noreturn void wait_in_child(int descriptor) {
    static uint8_t bytes[ROOM];
    struct request request;
    struct rights rights = {.size = 0};
    struct iovec parts[] = {{&request, sizeof request}, {bytes, sizeof bytes}};
    struct packet packet = {.parts = parts, .part_count = 2, .rights = &rights, .rights_size = sizeof rights};
    spawn_begin();
    spawn_keep(descriptor);
    (void)prctl(PR_SET_NAME, "agent-next", 0, 0, 0);
    warm_up();
    if (syscall(SYS_recvmsg, SPAWN_KEPT, &packet, MSG_CMSG_CLOEXEC) > 0 && rights.size == sizeof rights) {
        become(&request, bytes, &rights);
    }
    _exit(0); /* nobody wants it any more */
}

static void make(struct timer *fired) {
    (void)fired;
    int ends[2];
    if (init_is_ending() || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        wait_in_child(ends[1]);
    }
    close(ends[1]);
    way = ends[0];
    waiting = pid;
    vanish_forget(pid); /* the number may have been that of a session that was to end */
    if (pid < 0) {
        spare_drop();
    }
}

/* In a container fork is quick, and where memory is used up, whoever asks for more may be the one that is ended. */
static bool is_of_use(void) {
    return credentials_of_machine || !init_is_first();
}

void spare_soon(void) {
    if (waiting == 0 && !timer.set && is_of_use()) {
        timer_start(&timer, SOON, make);
    }
}

void spare_drop(void) {
    timer_stop(&timer);
    close(way); /* or there is none: -1 */
    way = -1;
    waiting = 0;
}

static bool tell(const struct spawn *spawn) {
    struct request request = {*spawn, *spawn->message};
    struct rights rights = {.size = sizeof rights, .level = SOL_SOCKET, .type = SCM_RIGHTS};
    memcpy(rights.passed, spawn->descriptors, sizeof rights.passed);
    void *bytes = (void *)(uintptr_t)request.message.bytes;
    struct iovec parts[] = {{&request, sizeof request}, {bytes, request.message.size}};
    struct packet packet = {.parts = parts, .part_count = 2, .rights = &rights, .rights_size = sizeof rights};
    return syscall(SYS_sendmsg, way, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0; /* all or nothing */
}

/* Of one that has ended its side is closed, and it is told nothing. One that is killed right now may have heard: then
   what it was to become is killed. */
pid_t spare_start(const struct spawn *spawn) {
    const struct exec_message *message = spawn->message;
    if (waiting == 0 || message->size > ROOM || (message->flags & (EXEC_SFTP | EXEC_SYNC)) != 0) {
        return -1;
    }
    pid_t pid = tell(spawn) ? waiting : -1;
    spare_drop();
    return pid;
}
