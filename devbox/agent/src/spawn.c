#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "credentials.h"
#include "sftp.h"
#include "sync.h"
#include "text.h"
#include "userdb.h"
#include "wire.h"

enum { REPORT = SPAWN_KEPT, QUEUE, PLACED = QUEUE, OLD_KERNEL_DESCRIPTORS = 65536, DEFAULTS_MOST = 5 };
enum { POOL = 16384 }; /* texts of all lists that a message of 64 KiB can have */

static char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static struct rlimit original_files;
static int report_to = -1; /* in a child */
static const struct user *owner; /* of what was placed */
/* Not of malloc, which has the kernel map and clear pages first. */
static char *pool[POOL];
static size_t pooled;

bool spawn_prepare(void) {
    if (getrlimit(RLIMIT_NOFILE, &original_files) != 0) {
        return false;
    }
    struct rlimit raised = {.rlim_cur = original_files.rlim_max, .rlim_max = original_files.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

/* A child's words to the agent; a child that cannot even say them is seen to end. */
static void report(uint32_t stage, uint32_t value) {
    struct spawn_report words = {.stage = stage, .value = value};
    ssize_t put;
    do {
        put = write(report_to, &words, sizeof words);
    } while (put < 0 && errno == EINTR);
}

static _Noreturn void give_up(uint32_t stage, int error) {
    report(stage, (uint32_t)error);
    _exit(127);
}

static __attribute__((noinline)) _Noreturn void lack(void) {
    give_up(STAGE_RESOURCES, errno);
}

/* Other processes' pipes are open here until exec, and an sftp server or sync program never gets there. */
static void close_from(unsigned first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        return;
    }
    for (int fd = (int)first; fd < OLD_KERNEL_DESCRIPTORS; fd++) { /* before Linux 5.9 */
        close(fd);
    }
}

static void place_descriptors(const struct spawn *spawn) {
    report_to = spawn->descriptors[SPAWN_REPORT];
    int kept = fcntl(spawn->descriptors[SPAWN_REPORT], F_DUPFD_CLOEXEC, 10);
    if (kept < 0) {
        lack();
    }
    report_to = kept;
    for (int target = 0; target < 3; target++) {
        if (dup2(spawn->descriptors[target], target) < 0) {
            lack();
        }
    }
    (void)dup3(spawn->queue, QUEUE, O_CLOEXEC); /* there is none, or it is there already, or it is there now */
    if (dup3(kept, REPORT, O_CLOEXEC) < 0) {
        lack();
    }
    report_to = REPORT;
    close_from(spawn->queue < 0 ? QUEUE : QUEUE + 1);
}

static void reset_signals(void) {
    const uint64_t as_new[4] = {0}; /* the kernel's own structure: SIG_DFL, no flags */
    for (int number = 1; number <= 64; number++) {
        /* Not by libc, which leaves its own signals alone: who started us may have ignored them. Fails for KILL, STOP. */
        syscall(SYS_rt_sigaction, number, as_new, NULL, sizeof(uint64_t));
    }
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) {
        lack();
    }
}

/* The user must be able to open /dev/stdout again, as in a terminal of their own. */
static void give_descriptors(bool terminal, const struct user *user) {
    if (geteuid() != 0) {
        return;
    }
    for (int fd = 0; fd < 3; fd++) {
        struct stat found;
        if (fstat(fd, &found) != 0) {
            lack();
        }
        bool ours = S_ISFIFO(found.st_mode) || (terminal && S_ISCHR(found.st_mode));
        if (ours && fchown(fd, user->uid, terminal ? (gid_t)-1 : user->gid) != 0) {
            lack();
        }
    }
}

static char **make_list(size_t count) {
    if (count <= POOL - pooled) {
        char **list = pool + pooled;
        pooled += count;
        memset(list, 0, count * sizeof *list);
        return list;
    }
    char **list = calloc(count, sizeof *list);
    if (list == NULL) {
        lack();
    }
    return list;
}

/* What has the same name is replaced, if it may be; what has none is left out. */
static void put(char **list, char *pair, bool replaces) {
    const char *equals = strchr(pair, '=');
    if (equals == NULL || equals == pair) {
        return;
    }
    while (*list != NULL && strncmp(*list, pair, (size_t)(equals - pair) + 1) != 0) {
        list++;
    }
    if (*list == NULL || replaces) {
        *list = pair;
    }
}

/* Where a user's services can be asked, while they run: what pam_systemd tells who logs in. */
static void put_runtime(char **list, uid_t uid) {
    static char room[64];
    static const char name[] = "XDG_RUNTIME_DIR=";
    char digits[21];
    struct stat found;
    text_join(room, sizeof room, (const char *const[]){name, "/run/user/", text_number(digits, uid), NULL});
    if (lstat(room + sizeof name - 1, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == uid) {
        put(list, room, false);
    }
}

static void set_environment(const struct exec_message *message, const struct user *user) {
    static char room[3 * (sizeof "LOGNAME=" + sizeof user->home)];
    static const char *const names[] = {"HOME=", "USER=", "LOGNAME="};
    char *at = room;
    size_t count = message->env.count + DEFAULTS_MOST + 1;
    for (char **own = environ; *own != NULL; own++) {
        count++;
    }
    char **list = make_list(count);
    char *item = message->env.first;
    for (uint32_t index = 0; index < message->env.count; index++) {
        put(list, item, true);
        item = list_next(item);
    }
    for (int index = 0; index < 3; index++) {
        const char *value = index == 0 ? user->home : user->name;
        if (value[0] != '\0') {
            text_join(at, sizeof room - (size_t)(at - room), (const char *const[]){names[index], value, NULL});
            put(list, at, false);
            at += strlen(at) + 1; /* on the same page, if they are short */
        }
    }
    for (char **own = environ; *own != NULL; own++) {
        if (strncmp(*own, "USER=", 5) != 0 && strncmp(*own, "LOGNAME=", 8) != 0) {
            put(list, *own, false);
        }
    }
    if (credentials_of_machine) {
        put_runtime(list, user->uid);
    }
    put(list, default_path, false);
    environ = list;
}

/* execvp would have the kernel prepare for a program in each directory that does not have it. */
static void look_along_path(char **words) {
    char file[PATH_MAX];
    size_t name = strlen(words[0]) + 1;
    int error = name > NAME_MAX + 1 ? ENAMETOOLONG : ENOENT;
    const char *end;
    for (const char *at = getenv("PATH"); at != NULL; at = *end == '\0' ? NULL : end + 1) {
        end = strchrnul(at, ':');
        size_t size = (size_t)(end - at);
        if (size + 1 + name > sizeof file) {
            continue;
        }
        memcpy(file, at, size);
        file[size] = '/';
        memcpy(file + size + (size > 0), words[0], name);
        if (access(file, F_OK) == 0) {
            execv(file, words);
        }
        if (errno == EACCES) {
            error = EACCES; /* there may be another one further on */
        } else if (errno != ENOENT && errno != ENOTDIR) {
            return;
        }
    }
    errno = error;
}

static _Noreturn void run(const struct list *argv) {
    char **words = make_list((size_t)argv->count + 1);
    char *item = argv->first;
    for (uint32_t index = 0; index < argv->count; index++) {
        words[index] = item;
        item = list_next(item);
    }
    if (words[0][0] == '\0' || strchr(words[0], '/') != NULL) {
        execv(words[0], words);
    } else {
        look_along_path(words);
    }
    give_up(STAGE_EXEC, errno);
}

static void enter(const char *cwd) {
    if (cwd[0] != '/' && cwd[0] != '\0') {
        give_up(STAGE_CWD, EINVAL);
    }
    if (chdir(cwd[0] == '\0' ? "/" : cwd) != 0) {
        give_up(STAGE_CWD, errno);
    }
}

void spawn_begin(void) {
    if (setsid() < 0) {
        lack();
    }
    umask(022);
    reset_signals();
}

void spawn_keep(int descriptor) {
    (void)dup3(descriptor, SPAWN_KEPT, O_CLOEXEC); /* or it is there already */
    close_from(SPAWN_KEPT + 1);
}

void spawn_place(const int descriptors[static SPAWN_PASSED], const char *user) {
    report_to = descriptors[SPAWN_REPORT];
    for (int target = 0; target < 3; target++) {
        if (dup2(descriptors[target], target) < 0) {
            lack();
        }
    }
    if (report_to != PLACED && dup3(report_to, PLACED, O_CLOEXEC) < 0) {
        lack();
    }
    report_to = PLACED;
    close_from(PLACED + 1);
    owner = user_expect(user);
    if (owner != NULL) {
        give_descriptors(false, owner);
    }
}

void spawn_afresh(char **own) {
    environ = own;
    owner = NULL;
    report_to = -1;
    pooled = 0;
}

void spawn_become(const struct spawn *spawn) {
    struct exec_message *message = spawn->message;
    if (!spawn->placed) {
        place_descriptors(spawn); /* before the limit: the agent may have more */
        owner = NULL;
    }
    if (setrlimit(RLIMIT_NOFILE, &original_files) != 0 || (spawn->terminal && ioctl(0, TIOCSCTTY, 0) != 0)) {
        lack();
    }
    const struct user *user = user_get(message->user);
    if (user == NULL) {
        give_up(STAGE_USER, ENOENT);
    }
    report(0, user->uid);
    if (user != owner) {
        give_descriptors(spawn->terminal, user);
    }
    if (!credentials_become(user)) {
        lack();
    }
    enter(message->cwd);
    set_environment(message, user);
    if ((message->flags & EXEC_SFTP) != 0) {
        close(REPORT);
        _exit(sftp_serve());
    }
    if ((message->flags & EXEC_SYNC) != 0) {
        close(REPORT);
        _exit(sync_serve(message->argv.first, spawn->queue < 0 ? -1 : QUEUE, spawn->idle));
    }
    run(&message->argv);
}

pid_t spawn_start(const struct spawn *spawn) {
    pid_t pid = fork();
    if (pid == 0) {
        report_to = spawn->descriptors[SPAWN_REPORT];
        spawn_begin();
        spawn_become(spawn);
    }
    return pid;
}
