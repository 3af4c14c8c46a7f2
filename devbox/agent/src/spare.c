#include "spare.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "init.h"
#include "loop.h"
#include "userdb.h"
#include "wire.h"

enum { ROOM = 65536, PASSED = 4, SOON = 30 }; /* ms until a small program has ended, which goes before */

struct request {
    struct exec_message message;
    bool terminal;
};

/* The kernel's own structures, which are not those of libc. */
struct rights {
    size_t size;
    int level;
    int type;
    int passed[PASSED];
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
    message->env.first += distance;
}

static void become(struct request *request, uint8_t *bytes, const struct rights *rights) {
    move_texts(&request->message, bytes);
    spawn_become(&(struct spawn){
        .message = &request->message,
        .descriptors = {rights->passed[0], rights->passed[1], rights->passed[2]},
        .report = rights->passed[3],
        .queue = -1,
        .terminal = request->terminal,
    });
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
    struct rights rights;
    struct iovec parts[] = {{&request, sizeof request}, {bytes, sizeof bytes}};
    struct packet packet = {.parts = parts, .part_count = 2, .rights = &rights, .rights_size = sizeof rights};
    spawn_begin();
    spawn_keep(descriptor);
    (void)prctl(PR_SET_NAME, "agent-next", 0, 0, 0);
    warm_up();
    if (syscall(SYS_recvmsg, SPAWN_KEPT, &packet, MSG_CMSG_CLOEXEC) > 0 && packet.rights_size == sizeof rights) {
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
    if (pid < 0) {
        spare_drop();
    }
}

void spare_soon(void) {
    if (waiting == 0) {
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
    struct request request = {.message = *spawn->message, .terminal = spawn->terminal};
    struct rights rights = {
        .size = sizeof rights,
        .level = SOL_SOCKET,
        .type = SCM_RIGHTS,
        .passed = {spawn->descriptors[0], spawn->descriptors[1], spawn->descriptors[2], spawn->report},
    };
    void *bytes = (void *)(uintptr_t)request.message.bytes;
    struct iovec parts[] = {{&request, sizeof request}, {bytes, request.message.size}};
    struct packet packet = {.parts = parts, .part_count = 2, .rights = &rights, .rights_size = sizeof rights};
    return syscall(SYS_sendmsg, way, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0; /* all or nothing */
}

/* If it has ended meanwhile, however, its side is closed: what could be told is heard. */
pid_t spare_start(const struct spawn *spawn) {
    const struct exec_message *message = spawn->message;
    if (waiting == 0 || message->size > ROOM || (message->flags & (EXEC_SFTP | EXEC_SYNC)) != 0) {
        return -1;
    }
    pid_t pid = tell(spawn) ? waiting : -1;
    spare_drop();
    return pid;
}
