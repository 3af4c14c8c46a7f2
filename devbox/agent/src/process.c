#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "drain.h"
#include "launch.h"
#include "plumbing.h"
#include "process_parts.h"
#include "settling.h"
#include "vanish.h"

void process_update(struct process *process) {
    bool reads = (process->started || process->early) && !process->blocked;
    uint32_t feeds = process->sink.waiting.size > 0 ? EPOLLOUT : 0;
    uint32_t out = reads && !process->out.over ? EPOLLIN : 0;
    source_want(&process->out.source, out | (process->terminal ? feeds : 0));
    source_want(&process->err.source, reads && !process->err.over ? EPOLLIN : 0);
    source_want(&process->in, feeds);
}

/* What it left behind goes on writing into pipes; a terminal without its leader is gone anyway. */
static void let_go(struct process *process) {
    source_close(&process->in);
    if (process->terminal) {
        source_close(&process->out.source);
    } else {
        drain_start(source_take(&process->out.source));
        drain_start(source_take(&process->err.source));
    }
    process->out.over = true;
    process->err.over = true;
    sink_break(&process->sink, &process->channel);
}

void process_destroy(struct process *process) {
    if (process->session != NULL) {
        process->session->waiter = NULL;
    }
    process_cease(process);
    quiet_remove(&process->quiet);
    buffer_free(&process->sink.waiting); /* not given back: the channel is over */
    let_go(process);
    channel_remove(&process->channel);
    loop_free(process);
}

static void pump(struct process *process, struct output *output) {
    uint32_t before = process->channel.credit;
    bool full = !output_pump(output, &process->channel);
    process->quiet.told += before - process->channel.credit;
    process->blocked = process->blocked || full;
}

static void say_exit(struct process *process) {
    uint8_t bytes[16];
    int status = process->status;
    put_u32(bytes, WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0);
    put_u32(bytes + 4, WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0);
    channel_send(&process->channel, FRAME_EXIT, bytes, 8 + quiet_say(bytes + 8));
}

/* Send what an ended process had written, and then its EXIT; or wait for room. Frees the process at the end. */
static void finish(struct process *process) {
    while (!process->blocked && !(process->out.over && process->err.over)) {
        pump(process, process->out.over ? &process->err : &process->out);
    }
    if (process->out.over && process->err.over) {
        say_exit(process);
        source_pass_on(&process->channel.connection->source); /* who waits for it is not to wait for what comes now */
        process_destroy(process);
    } else {
        process_update(process);
    }
}

void process_after_pump(struct process *process) {
    if (process->reaped) {
        finish(process);
    } else {
        process_update(process);
    }
}

static int input_of(const struct process *process) {
    return process->terminal ? process->out.source.fd : process->in.fd;
}

/* End of file for a terminal's reader is a character, if the terminal is in the mode that knows it. */
static void end_terminal_input(struct process *process) {
    struct termios settings;
    if (tcgetattr(process->out.source.fd, &settings) == 0 && (settings.c_lflag & ICANON) != 0) {
        uint8_t end = settings.c_cc[VEOF];
        (void)!write(process->out.source.fd, &end, 1); /* if it takes no more, nobody reads */
    }
}

static void after_feeding(struct process *process) {
    struct sink *sink = &process->sink;
    if (sink->broken || (sink->ended && sink->waiting.size == 0)) {
        if (!process->terminal) {
            source_close(&process->in);
        } else if (!sink->broken) {
            end_terminal_input(process);
        }
        sink->broken = true;
    }
}

static void feed(struct process *process) {
    int error;
    sink_flush(&process->sink, &process->channel, input_of(process), &error);
    after_feeding(process);
}

static void in_ready(struct source *source, uint32_t events) {
    (void)events;
    struct process *process = OWNER(source, struct process, in);
    feed(process);
    process_update(process);
}

static void out_ready(struct source *source, uint32_t events) {
    struct process *process = OWNER(source, struct process, out.source);
    if (process->early) {
        process_first(process, source, events);
        return;
    }
    if (process->sink.waiting.size > 0 && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        feed(process);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !process->blocked && !process->out.over) {
        pump(process, &process->out);
    }
    process_after_pump(process);
}

static void err_ready(struct source *source, uint32_t events) {
    (void)events;
    struct process *process = OWNER(source, struct process, err.source);
    if (process->early) {
        process_first(process, source, events);
        return;
    }
    pump(process, &process->err);
    process_after_pump(process);
}

static void on_resume(struct channel *channel) {
    struct process *process = OWNER(channel, struct process, channel);
    process->blocked = false;
    if (process->started) {
        process_after_pump(process);
    }
}

/* It was reaped. */
static void ended(struct waiter *waiter, int status) {
    struct process *process = OWNER(waiter, struct process, waiter);
    process->reaped = true;
    process->status = status;
    output_ended(&process->out);
    output_ended(&process->err);
    if (process->start.fd >= 0) {
        process_hear(process);
    } else {
        process->session = NULL;
        finish(process);
    }
}

static void on_data(struct channel *channel, const uint8_t *bytes, size_t size) {
    struct process *process = OWNER(channel, struct process, channel);
    int error;
    if (process->sink.ended) {
        return;
    }
    sink_add(&process->sink, channel, input_of(process), bytes, size, &error);
    after_feeding(process);
    process_update(process);
}

static void on_eof(struct channel *channel) {
    struct process *process = OWNER(channel, struct process, channel);
    if (!process->sink.ended) {
        process->sink.ended = true;
        after_feeding(process);
        process_update(process);
    }
}

static void on_resize(struct channel *channel, uint16_t rows, uint16_t columns) {
    struct process *process = OWNER(channel, struct process, channel);
    if (process->terminal && process->out.source.fd >= 0) {
        plumbing_resize(process->out.source.fd, rows, columns);
    }
}

static void on_signal(struct channel *channel, int number) {
    struct process *process = OWNER(channel, struct process, channel);
    if (process->session == NULL) {
        return;
    }
    pid_t own = process->session->pid;
    pid_t front = process->terminal && process->out.source.fd >= 0 ? tcgetpgrp(process->out.source.fd) : -1;
    if (front > 1 && front != own) {
        kill(-front, number); /* the group may have ended meanwhile */
        if (number != SIGHUP && number != SIGTERM && number != SIGKILL) {
            return;
        }
    }
    session_signal(process->session, number);
}

static void on_close(struct channel *channel) {
    struct process *process = OWNER(channel, struct process, channel);
    if (process->closed || process->detached) {
        return;
    }
    process->closed = true;
    if (process->session != NULL) {
        vanish_start(process->session->pid);
    }
    let_go(process);
    if (process->reaped) {
        finish(process);
    } else {
        process_update(process);
    }
}

static void on_vanish(struct channel *channel) {
    struct process *process = OWNER(channel, struct process, channel);
    if (process->session != NULL) { /* a detached one too: that it has started nobody has heard */
        vanish_start(process->session->pid);
    }
    process_destroy(process);
}

static const struct channel_kind kind = {
    .data = on_data,
    .eof = on_eof,
    .resume = on_resume,
    .resize = on_resize,
    .signal = on_signal,
    .close = on_close,
    .vanish = on_vanish,
};

/* Watch what the child was not given; on false some of it is closed, the rest is for `destroy`. */
static bool adopt(struct process *process, const struct plumbing *plumbing) {
    int both = plumbing->ours[0];
    int in = process->terminal ? -1 : both;
    int out = process->terminal ? both : plumbing->ours[1];
    bool good = source_open(&process->start, plumbing->report, process_start_ready);
    good = (in < 0 || source_open(&process->in, in, in_ready)) && good;
    good = (out < 0 || source_open(&process->out.source, out, out_ready)) && good;
    return (plumbing->ours[2] < 0 || source_open(&process->err.source, plumbing->ours[2], err_ready)) && good;
}

static struct process *new_process(struct connection *connection, const struct exec_message *message) {
    struct process *process = calloc(1, sizeof *process);
    if (process != NULL) {
        channel_open(&process->channel, &kind, connection);
        process->start.fd = process->in.fd = process->out.source.fd = process->err.source.fd = -1;
        process->out.type = FRAME_STDOUT;
        process->err.type = FRAME_STDERR;
        process->detached = (message->flags & EXEC_DETACH) != 0;
        process->terminal = (message->flags & EXEC_TERMINAL) != 0 && !process->detached;
        process->out.terminal = process->terminal;
    }
    return process;
}

/* From here on the child runs; whatever fails ends it. */
static void take_child(struct process *process, struct session *session, pid_t pid, const struct plumbing *plumbing) {
    process->waiter.ended = ended;
    process->session = session;
    session->waiter = &process->waiter;
    quiet_add(&process->quiet, plumbing, pid);
    session_add(session, pid);
    vanish_forget(pid); /* the number may have been that of a session that was to end */
    if (!adopt(process, plumbing)) {
        channel_fail(&process->channel, (uint32_t)errno, STAGE_RESOURCES, "the process cannot be watched");
        vanish_start(pid);
        process_destroy(process);
        return;
    }
    process->out.over = process->out.source.fd < 0;
    process->err.over = process->err.source.fd < 0;
    process->sink.broken = input_of(process) < 0;
    if (process->sink.broken && !process->detached) {
        process_leave(process);
    } else { /* its client gives it nothing to read before that */
        process_ask(process);
    }
}

void process_exec(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    struct exec_message message;
    if (!decode_exec(payload, size, &message)) {
        connection_violation(connection, "bad EXEC");
        return;
    }
    if (settling_is(&message)) {
        settling_open(connection, channel, message.window);
        return;
    }
    struct plumbing plumbing;
    struct process *process = new_process(connection, &message);
    struct session *session = session_new(&message);
    errno = ENOMEM;
    pid_t pid = process != NULL && session != NULL ? launch(&message, &plumbing) : -1;
    if (pid < 0) {
        struct channel refused = {.connection = connection, .number = channel};
        channel_fail(&refused, (uint32_t)errno, STAGE_RESOURCES, "the process cannot be started");
        free(session);
        free(process);
        return;
    }
    channel_add(&process->channel, channel, message.window);
    take_child(process, session, pid, &plumbing);
}
