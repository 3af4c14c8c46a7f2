#include "vanish.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"
#include "sessions.h"

enum { TERM_AFTER = 1000, KILL_AFTER = 3000, KILL_AGAIN = 1000, KILLS_MOST = 10, LOOK_AGAIN = 100 };

struct ending {
    struct ending *next;
    pid_t session;
    int64_t began;
    int64_t due;
    int step; /* 0 HUP, 1 TERM, from 2 on KILL */
    bool now;
    bool seen; /* a process of it was there at this step */
};

static struct ending *endings;
static struct timer timer;

static void tick(struct timer *fired);

static struct ending *find(pid_t session) {
    struct ending *ending = endings;
    while (ending != NULL && ending->session != session) {
        ending = ending->next;
    }
    return ending;
}

/* Zero, or the number that a name in /proc is. */
static pid_t to_pid(const char *name) {
    char *end;
    long number = strtol(name, &end, 10);
    return *name >= '1' && *name <= '9' && *end == '\0' && number > 0 && number <= INT32_MAX ? (pid_t)number : 0;
}

/* The session that this process is of, or will be: one of ours that has not come to setsid counts by its pid. */
static pid_t session_of(pid_t pid) {
    return session_find(pid) != NULL ? pid : getsid(pid);
}

/* False if they cannot be seen now: no descriptor, no memory. */
static bool each_process(void (*visit)(pid_t pid, pid_t session, int number), int number) {
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        return false;
    }
    struct dirent *entry;
    while ((entry = readdir(processes)) != NULL) {
        pid_t pid = to_pid(entry->d_name);
        pid_t session = pid > 1 && pid != getpid() ? session_of(pid) : -1;
        if (session > 0) {
            visit(pid, session, number);
        }
    }
    closedir(processes);
    return true;
}

static bool (*chooser)(pid_t session);

static void signal_chosen(pid_t pid, pid_t session, int number) {
    if (chooser(session)) {
        kill(pid, number); /* may have ended meanwhile */
    }
}

static void signal_sessions(bool (*chosen)(pid_t session), int number) {
    chooser = chosen;
    (void)each_process(signal_chosen, number); /* who calls it comes back with SIGKILL */
}

static bool is_listed(pid_t session) {
    return session_find(session) != NULL;
}

void vanish_signal_all(int number) {
    signal_sessions(is_listed, number);
}

static bool has_terminal(pid_t session) {
    const struct session *found = session_find(session);
    return found != NULL && (found->flags & EXEC_TERMINAL) != 0;
}

void vanish_hang_up(void) {
    signal_sessions(has_terminal, SIGHUP);
}

static void press(pid_t pid, pid_t session, int number) {
    (void)number;
    struct ending *ending = find(session);
    if (ending == NULL || !ending->now) {
        return;
    }
    static const int steps[] = {SIGHUP, SIGTERM, SIGKILL};
    ending->seen = true;
    kill(pid, steps[ending->step < 2 ? ending->step : 2]);
    if (ending->step < 2) {
        kill(pid, SIGCONT);
    }
}

static int64_t next_due(const struct ending *ending) {
    if (ending->step <= 2) {
        return ending->began + (ending->step == 1 ? TERM_AFTER : KILL_AFTER);
    }
    return ending->due + KILL_AGAIN;
}

static void set_timer(void) {
    int64_t first = INT64_MAX;
    for (const struct ending *ending = endings; ending != NULL; ending = ending->next) {
        first = ending->due < first ? ending->due : first;
    }
    if (first == INT64_MAX) {
        timer_stop(&timer);
        return;
    }
    int64_t delay = first - loop_now();
    timer_start(&timer, delay > 0 ? delay : 0, tick);
}

static void tick(struct timer *fired) {
    (void)fired;
    int64_t now = loop_now();
    for (struct ending *ending = endings; ending != NULL; ending = ending->next) {
        ending->now = ending->due <= now;
        ending->seen = false;
    }
    bool looked = each_process(press, 0);
    struct ending **place = &endings;
    while (*place != NULL) {
        struct ending *ending = *place;
        if (ending->now && looked && (!ending->seen || ++ending->step >= KILLS_MOST)) {
            *place = ending->next;
            free(ending);
            continue;
        }
        if (ending->now) {
            ending->due = looked ? next_due(ending) : now + LOOK_AGAIN;
        }
        place = &ending->next;
    }
    set_timer();
}

void vanish_start(pid_t session) {
    if (find(session) != NULL) {
        return;
    }
    struct ending *ending = calloc(1, sizeof *ending);
    if (ending == NULL) {
        kill(-session, SIGKILL); /* no memory to be gentle with */
        return;
    }
    ending->session = session;
    ending->began = loop_now();
    ending->due = ending->began;
    ending->next = endings;
    endings = ending;
    set_timer();
}

void vanish_forget(pid_t session) {
    struct ending **place = &endings;
    while (*place != NULL && (*place)->session != session) {
        place = &(*place)->next;
    }
    if (*place != NULL) {
        struct ending *ending = *place;
        *place = ending->next;
        free(ending);
        set_timer();
    }
}

bool vanish_busy(void) {
    return endings != NULL;
}
