#include "plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "text.h"
#include "wire.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { PIPE_SIZE = 262144 }; /* four times the default: less waiting of the two for each other */

static void close_one(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void plumbing_close_theirs(struct plumbing *plumbing) {
    for (int index = 0; index < 3; index++) {
        close_one(&plumbing->theirs[index]);
    }
    close_one(&plumbing->report_theirs);
}

void plumbing_close_ours(struct plumbing *plumbing) {
    for (int index = 0; index < 3; index++) {
        close_one(&plumbing->ours[index]);
    }
    close_one(&plumbing->report);
    plumbing_close_watch(plumbing->queue, plumbing->idle);
}

void plumbing_close_watch(int queue, uint32_t *idle) {
    if (idle != NULL) {
        munmap(idle, sizeof *idle);
        close_one(&queue);
    }
}

/* Without events all is looked at again and again: no reason to fail. */
static bool open_watch(struct plumbing *plumbing) {
    void *shared = mmap(NULL, sizeof *plumbing->idle, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return false;
    }
    plumbing->idle = shared;
    plumbing->queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return true;
}

static bool make_pipe(int *from, int *to, int ours) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    *from = ends[0];
    *to = ends[1];
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK | (ours == 1 ? O_WRONLY : O_RDONLY)) == 0;
}

static bool open_null(struct plumbing *plumbing, int index) {
    plumbing->theirs[index] = open("/dev/null", O_RDWR | O_CLOEXEC);
    return plumbing->theirs[index] >= 0;
}

static bool open_pipes(struct plumbing *plumbing, uint32_t flags) {
    bool detached = (flags & EXEC_DETACH) != 0;
    bool with_stdin = (flags & (EXEC_STDIN | EXEC_SFTP | EXEC_SYNC)) != 0 && !detached;
    bool good = with_stdin ? make_pipe(&plumbing->theirs[0], &plumbing->ours[0], 1) : open_null(plumbing, 0);
    for (int index = 1; index < 3 && good; index++) {
        good = detached ? open_null(plumbing, index) : make_pipe(&plumbing->ours[index], &plumbing->theirs[index], 0);
    }
    if (good && !detached) {
        (void)fcntl(plumbing->ours[1], F_SETPIPE_SZ, PIPE_SIZE); /* refused: the default does too */
    }
    return good;
}

bool plumbing_resize(int terminal, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size) == 0;
}

static int open_peer(int terminal) {
    int peer = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    unsigned number;
    if (peer < 0 && errno != EMFILE && ioctl(terminal, (int)TIOCGPTN, &number) == 0) { /* before Linux 4.13 */
        char digits[21];
        char name[64];
        if (text_join(name, sizeof name, (const char *const[]){"/dev/pts/", text_number(digits, number), NULL})) {
            peer = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        }
    }
    return peer;
}

static bool open_terminal(struct plumbing *plumbing, const struct exec_message *message) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    struct termios settings;
    plumbing->ours[0] = terminal;
    if (terminal < 0 || unlockpt(terminal) != 0) { /* devpts gives it to us: there is no grantpt to be done */
        return false;
    }
    plumbing->theirs[0] = open_peer(terminal);
    if (plumbing->theirs[0] < 0 || tcgetattr(terminal, &settings) != 0) {
        return false;
    }
    settings.c_iflag |= IUTF8; /* erase whole characters */
    if (tcsetattr(terminal, TCSANOW, &settings) != 0) {
        return false;
    }
    for (int index = 1; index < 3; index++) {
        plumbing->theirs[index] = fcntl(plumbing->theirs[0], F_DUPFD_CLOEXEC, 3);
        if (plumbing->theirs[index] < 0) {
            return false;
        }
    }
    return plumbing_resize(terminal, message->rows, message->columns);
}

bool plumbing_open(struct plumbing *plumbing, const struct exec_message *message) {
    *plumbing = (struct plumbing){{-1, -1, -1}, {-1, -1, -1}, -1, -1, -1, NULL};
    bool terminal = (message->flags & EXEC_TERMINAL) != 0 && (message->flags & EXEC_DETACH) == 0;
    bool good = terminal ? open_terminal(plumbing, message) : open_pipes(plumbing, message->flags);
    good = good && ((message->flags & EXEC_SYNC) == 0 || open_watch(plumbing));
    if (good && make_pipe(&plumbing->report, &plumbing->report_theirs, 0)) {
        return true;
    }
    int error = errno;
    plumbing_close_theirs(plumbing);
    plumbing_close_ours(plumbing);
    errno = error;
    return false;
}
