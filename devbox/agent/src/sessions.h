/* The processes that were started and have not ended, and what ends them when nobody wants them any more. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "connection.h"
#include "message.h"

/* Is told of a process's end, once; embedded in what it belongs to. */
struct waiter {
    void (*ended)(struct waiter *waiter, int status); /* as of waitpid */
};

/* One process, leader of the session of the same number. It is freed when the process has been reaped. */
struct session {
    struct session *next;
    struct waiter *waiter; /* NULL: nobody */
    pid_t pid;
    uint32_t uid;
    uint64_t start; /* seconds since 1970 */
    uint8_t flags;  /* as SESSIONS tells them */
    bool started;   /* it has come to exec */
    size_t words_size;
    uint8_t words[]; /* its argv as SESSIONS tells it */
};

/* Memory for one, not yet listed, so that nothing can fail after fork; NULL if there is none. */
struct session *session_new(const struct exec_message *message);
void session_add(struct session *session, pid_t pid);
struct session *session_find(pid_t pid);
/* The process `pid` was reaped; `status` as of waitpid. */
void sessions_reaped(pid_t pid, int status);
bool sessions_empty(void);
void sessions_answer(struct connection *connection, uint32_t channel, size_t payload_size);

/* To the process group of each. */
void sessions_signal_groups(int number);
/* To one process's group, or to the process alone while it has not made itself one. */
void session_signal(const struct session *session, int number);

#endif
