#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_parts.h"

/* The client of a sync has so much more on the way, or both would wait for each other with every 64 KiB. */
enum { SYNC_ROOM = 983040 };
enum { SOON = 20 }; /* ms in which most programs that only do a little have done it */

void process_cease(struct process *process) {
    source_close(&process->start);
    timer_stop(&process->look);
    process->early = false;
}

static void say_failed(struct process *process) {
    static const char *const words[] = {
        [STAGE_USER] = "no such user or group",
        [STAGE_CWD] = "the working directory cannot be entered",
        [STAGE_EXEC] = "the program cannot be executed",
        [STAGE_RESOURCES] = "the process cannot be set up",
    };
    uint32_t stage = process->failure.stage;
    if (stage < STAGE_USER || stage > STAGE_RESOURCES) {
        stage = STAGE_RESOURCES;
    }
    channel_fail(&process->channel, process->failure.value, (uint8_t)stage, words[stage]);
}

static bool is_untold(const struct process *process) {
    return process->failure.stage == 0 && !process->user_known;
}

/* The child has come to exec or has given up. */
static void settle(struct process *process) {
    process_cease(process);
    bool killed = process->reaped && WIFSIGNALED(process->status); /* then it is said by what, as of any */
    if (is_untold(process) && !killed) { /* ended before it could say anything */
        process->failure = (struct spawn_report){.stage = STAGE_RESOURCES, .value = EAGAIN};
    }
    if (process->failure.stage != 0) {
        say_failed(process);
        process_destroy(process);
        return;
    }
    process->started = true;
    process->session->started = true;
    channel_started(&process->channel, (uint32_t)process->session->pid);
    if ((process->session->flags & EXEC_SYNC) != 0) {
        channel_widen(&process->channel, SYNC_ROOM);
    }
    if (process->reaped) {
        process->session = NULL;
    }
    if (process->detached) {
        process_destroy(process);
    } else {
        process_after_pump(process);
    }
}

void process_hear(struct process *process) {
    struct spawn_report words;
    ssize_t got;
    while ((got = read(process->start.fd, &words, sizeof words)) == (ssize_t)sizeof words) {
        if (words.stage != 0) {
            process->failure = words;
        } else {
            process->user_known = true;
            process->session->uid = words.value;
        }
    }
    if (got == 0 && is_untold(process) && !process->reaped) {
        source_want(&process->start, 0); /* it has ended: how is known when it is reaped, which may be a moment later */
    } else if (got >= 0 || errno != EAGAIN || process->reaped) {
        settle(process);
    }
}

void process_start_ready(struct source *source, uint32_t events) {
    (void)events;
    process_hear(OWNER(source, struct process, start));
}

void process_ask(struct process *process) {
    timer_stop(&process->look);
    process->early = false;
    connection_release(process->channel.connection);
    source_want(&process->start, EPOLLIN);
    process_update(process);
}

void process_first(struct process *process, struct source *source, uint32_t events) {
    if ((events & EPOLLIN) != 0) {
        process_ask(process);
    } else {
        source_want(source, 0); /* it ends, and what is left to be told comes with its end */
    }
}

static void look(struct timer *timer) {
    process_ask(OWNER(timer, struct process, look));
}

void process_leave(struct process *process) {
    process->early = true;
    connection_hold(process->channel.connection);
    timer_start(&process->look, SOON, look);
    process_update(process);
}
