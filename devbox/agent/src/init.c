#include "init.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "sessions.h"
#include "vanish.h"

enum { STUBBORN_TIME = 5000, LAST_TIME = 500 }; /* ms until SIGKILL, and from then until we go whatever is left */

static const int passed_on[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH};

static struct source signals;
static struct timer timer;
static bool ending;
static bool ended;
static bool childless;

bool init_is_first(void) {
    return getpid() == 1;
}

bool init_is_ending(void) {
    return ending;
}

bool init_has_ended(void) {
    return ended;
}

static void end(struct timer *fired) {
    (void)fired;
    ended = true;
}

/* As process 1, -1 is all but ourselves; on a host it would be all that is. */
static void signal_all(int number) {
    if (init_is_first()) {
        kill(-1, number); /* ESRCH: there is nothing left */
    } else {
        vanish_signal_all(number);
    }
}

static void force(struct timer *fired) {
    signal_all(SIGKILL);
    timer_start(fired, LAST_TIME, end);
}

static void check_end(void) {
    if (ending && (init_is_first() ? childless : sessions_empty())) {
        ended = true;
    }
}

static void reap(void) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            childless = pid < 0 && errno == ECHILD;
            break;
        }
        sessions_reaped(pid, status);
    }
    check_end();
}

static void begin_end(void) {
    if (ending) {
        return;
    }
    ending = true;
    signal_all(SIGTERM);
    vanish_hang_up(); /* shells do not hear SIGTERM; who does is not to be cut short by a SIGHUP */
    signal_all(SIGCONT);
    timer_start(&timer, STUBBORN_TIME, force);
    reap();
}

static void handle(int number) {
    if (number == SIGCHLD) {
        reap();
    } else if (number == SIGTERM || number == SIGINT) {
        begin_end();
    } else {
        for (size_t index = 0; index < sizeof passed_on / sizeof passed_on[0]; index++) {
            if (passed_on[index] == number) {
                sessions_signal_groups(number);
            }
        }
    }
}

static void ready(struct source *source, uint32_t events) {
    (void)events;
    struct signalfd_siginfo infos[8];
    ssize_t got = read(source->fd, infos, sizeof infos);
    for (ssize_t index = 0; index < got / (ssize_t)sizeof infos[0]; index++) {
        handle((int)infos[index].ssi_signo);
    }
}

bool init_open(void) {
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0) {
        return false;
    }
    if (!init_is_first() && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return false;
    }
    sigdelset(&all, SIGPIPE); /* stays pending: the errors of write say the same */
    int fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0 || !source_open(&signals, fd, ready)) {
        return false;
    }
    source_want(&signals, EPOLLIN);
    return true;
}
