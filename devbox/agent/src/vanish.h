/* Signals to whole sessions; and the end of one that nobody waits for any more: all its processes are asked three times,
   ever more firmly. */
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
/* To every process of each session that we started. */
void vanish_signal_all(int number);
/* SIGHUP to every process of those with a terminal. */
void vanish_hang_up(void);

#endif
