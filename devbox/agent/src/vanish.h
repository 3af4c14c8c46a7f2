/* The end of what nobody waits for any more: all processes of a session, asked three times, ever more firmly. */
#ifndef VANISH_H
#define VANISH_H

#include <stdbool.h>
#include <sys/types.h>

/* SIGHUP and SIGCONT at the end of this turn of the loop, SIGTERM after 1 s, SIGKILL after 3 s. */
void vanish_start(pid_t session);
/* The number was given to a new process: what was before it has ended. */
void vanish_forget(pid_t session);
/* True while some session has still to be looked after. */
bool vanish_busy(void);
/* Signal every process of every session that `chosen` names. */
void signal_sessions(bool (*chosen)(pid_t session), int number);

#endif
