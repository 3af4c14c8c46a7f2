#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
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
#include "userdb.h"
#include "wire.h"

enum { REPORT = 3, OLD_KERNEL_DESCRIPTORS = 65536 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static struct rlimit original_files;
static int report_to = REPORT; /* in a child */

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
    report_to = spawn->report;
    int kept = fcntl(spawn->report, F_DUPFD_CLOEXEC, 10);
    if (kept < 0) {
        give_up(STAGE_RESOURCES, errno);
    }
    report_to = kept;
    for (int target = 0; target < 3; target++) {
        if (dup2(spawn->descriptors[target], target) < 0) {
            give_up(STAGE_RESOURCES, errno);
        }
    }
    if (dup3(kept, REPORT, O_CLOEXEC) < 0) {
        give_up(STAGE_RESOURCES, errno);
    }
    report_to = REPORT;
    close_from(REPORT + 1);
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
        give_up(STAGE_RESOURCES, errno);
    }
}

/* The user must be able to open /dev/stdout again, as in a terminal of their own. */
static void give_descriptors(const struct spawn *spawn, const struct user *user) {
    if (geteuid() != 0) {
        return;
    }
    for (int fd = 0; fd < 3; fd++) {
        struct stat found;
        if (fstat(fd, &found) != 0) {
            give_up(STAGE_RESOURCES, errno);
        }
        bool ours = S_ISFIFO(found.st_mode) || (spawn->terminal && S_ISCHR(found.st_mode));
        if (ours && fchown(fd, user->uid, spawn->terminal ? (gid_t)-1 : user->gid) != 0) {
            give_up(STAGE_RESOURCES, errno);
        }
    }
}

static void set_environment(const struct exec_message *message, const struct user *user) {
    bool failed = unsetenv("HOME") != 0 || unsetenv("USER") != 0 || unsetenv("LOGNAME") != 0; /* the agent's own */
    char *item = message->env.first;
    for (uint32_t index = 0; index < message->env.count; index++) {
        char *next = list_next(item);
        char *equals = strchr(item, '=');
        if (equals != NULL && equals != item) {
            *equals = '\0';
            failed = setenv(item, equals + 1, 1) != 0 || failed;
        }
        item = next;
    }
    failed = setenv("HOME", user->home, 0) != 0 || failed;
    if (user->name[0] != '\0') {
        failed = setenv("USER", user->name, 0) != 0 || setenv("LOGNAME", user->name, 0) != 0 || failed;
    }
    if (failed || setenv("PATH", default_path, 0) != 0) {
        give_up(STAGE_RESOURCES, errno);
    }
}

static _Noreturn void run(const struct list *argv) {
    char **words = calloc((size_t)argv->count + 1, sizeof *words);
    if (words == NULL) {
        give_up(STAGE_RESOURCES, errno);
    }
    char *item = argv->first;
    for (uint32_t index = 0; index < argv->count; index++) {
        words[index] = item;
        item = list_next(item);
    }
    execvp(words[0], words);
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

static _Noreturn void child(const struct spawn *spawn) {
    static struct user user;
    struct exec_message *message = spawn->message;
    place_descriptors(spawn);
    if (setsid() < 0 || (spawn->terminal && ioctl(0, TIOCSCTTY, 0) != 0)) {
        give_up(STAGE_RESOURCES, errno);
    }
    if (setrlimit(RLIMIT_NOFILE, &original_files) != 0) {
        give_up(STAGE_RESOURCES, errno);
    }
    umask(022);
    if (!user_find(message->user, &user)) {
        give_up(STAGE_USER, ENOENT);
    }
    report(0, user.uid);
    give_descriptors(spawn, &user);
    if (!credentials_become(&user)) {
        give_up(STAGE_RESOURCES, errno);
    }
    enter(message->cwd);
    set_environment(message, &user);
    reset_signals();
    if ((message->flags & EXEC_SFTP) != 0) {
        close(REPORT);
        _exit(sftp_serve());
    }
    if ((message->flags & EXEC_SYNC) != 0) {
        close(REPORT);
        _exit(sync_serve(message->argv.first));
    }
    run(&message->argv);
}

pid_t spawn_start(const struct spawn *spawn) {
    pid_t pid = fork();
    if (pid == 0) {
        child(spawn);
    }
    return pid;
}
