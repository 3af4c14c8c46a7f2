#include "launch.h"

#include <errno.h>

#include "init.h"
#include "spare.h"
#include "spawn.h"
#include "wire.h"

pid_t launch(struct exec_message *message, struct plumbing *plumbing) {
    if (init_is_ending()) {
        errno = ESHUTDOWN;
        return -1;
    }
    pid_t pid = spare_plumbed(message, plumbing);
    if (pid > 0) {
        spare_soon(message->user);
        return pid;
    }
    if (!plumbing_open(plumbing, message)) {
        return -1;
    }
    struct spawn spawn = {
        .message = message,
        .descriptors = {plumbing->theirs[0], plumbing->theirs[1], plumbing->theirs[2], plumbing->report_theirs},
        .queue = plumbing->queue,
        .idle = plumbing->idle,
        .terminal = (message->flags & EXEC_TERMINAL) != 0 && (message->flags & EXEC_DETACH) == 0,
    };
    pid = spare_start(&spawn);
    if (pid < 0) {
        pid = spawn_start(&spawn);
    }
    int error = errno;
    if (spawn.queue < 0) { /* a sync program is started once, and much may go on without another one */
        spare_soon(message->user);
    }
    plumbing_close_theirs(plumbing);
    if (pid < 0) {
        plumbing_close_ours(plumbing);
    }
    errno = error;
    return pid;
}
