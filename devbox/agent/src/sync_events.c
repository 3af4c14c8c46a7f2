#include "sync_events.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "sync_own.h"
#include "sync_packet.h"
#include "sync_watched.h"

enum {
    MASK = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
           IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
    EVENT_MOST = 4 + 1 + SYNC_NAME_MOST,
    FRAME_ROOM = 32768,
    HOLD_MS = 100,
    HELD_MOST = 256,
    SECOND_MS = 1000,
    MILLISECOND_NS = 1000000,
};

struct held {
    int64_t until; /* the first of them is the first to be told */
    int watch;
    char name[SYNC_NAME_MOST + 1];
};

static struct held held[HELD_MOST];
static size_t held_count;
static int queue = -1;
static uint32_t *idle;
static struct writer *frame; /* that is being filled */
static int last_watch;
static char last_name[SYNC_NAME_MOST + 1];

void events_begin(int from, uint32_t *flag) {
    queue = from;
    idle = flag;
}

void events_rest(bool rests) {
    if (idle != NULL) {
        __atomic_store_n(idle, rests && held_count == 0, __ATOMIC_SEQ_CST);
    }
}

int events_descriptor(void) {
    return queue;
}

int events_watch(int directory) {
    if (queue < 0 || fchdir(directory) != 0) { /* the one way to name it that no link can bend */
        return -1;
    }
    int number = inotify_add_watch(queue, ".", MASK);
    (void)!chdir("/"); /* nothing is kept from being unmounted */
    return number;
}

static void say(int watch, const char *name) {
    if (frame != NULL && watch == last_watch && strcmp(name, last_name) == 0) {
        return; /* as a write is: made, changed, closed */
    }
    if (frame != NULL && frame->size > FRAME_ROOM - EVENT_MOST) {
        frame_end();
        frame = NULL;
    }
    if (frame == NULL) {
        frame = frame_begin(0, SYNC_EVENTS);
    }
    size_t size = strlen(name);
    last_watch = watch;
    memcpy(last_name, name, size + 1);
    write_u32(frame, (uint32_t)watch);
    write_u8(frame, (uint8_t)size);
    write_bytes(frame, name, size);
}

static void finish(void) {
    if (frame != NULL) {
        frame_end();
        frame = NULL;
    }
}

/* It has its content for now; what came before it is told before it. */
static void say_whole(int watch, const char *name) {
    finish();
    if (!watched_say(watch, name)) {
        say(watch, name);
    }
}

static int64_t now(void) {
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * SECOND_MS + time.tv_nsec / MILLISECOND_NS;
}

static size_t find(int watch, const char *name) {
    size_t index = 0;
    while (index < held_count && (held[index].watch != watch || strcmp(held[index].name, name) != 0)) {
        index++;
    }
    return index;
}

static void let_go(size_t index) {
    if (index < held_count) {
        held_count--;
        memmove(&held[index], &held[index + 1], (held_count - index) * sizeof held[0]);
    }
}

static void hold(int watch, const char *name) {
    if (find(watch, name) < held_count) {
        return;
    }
    if (held_count == HELD_MOST) {
        say(held[0].watch, held[0].name);
        let_go(0);
    }
    struct held *last = &held[held_count++];
    last->watch = watch;
    last->until = now() + HOLD_MS;
    memcpy(last->name, name, strlen(name) + 1);
}

static void take(const struct inotify_event *event) {
    bool itself = (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0;
    const char *name = event->len > 0 && !itself ? event->name : "";
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        say(-1, "");
    } else if ((!itself && name[0] == '\0') || own_is_temporary(name) || strlen(name) > SYNC_NAME_MOST) {
        return; /* the directory's own mode and times: what changed in it is told by name */
    } else if ((event->mask & IN_ISDIR) != 0 || (event->mask & (IN_CREATE | IN_MODIFY | IN_ATTRIB)) == 0) {
        let_go(find(event->wd, name));
        if ((event->mask & IN_IGNORED) != 0) {
            watched_drop(event->wd);
        }
        if ((event->mask & IN_ISDIR) == 0 && (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
            say_whole(event->wd, name);
        } else {
            say(event->wd, name);
        }
    } else if ((event->mask & IN_ATTRIB) == 0) {
        hold(event->wd, name);
    } else if (find(event->wd, name) == held_count) { /* else it is being written, and that can wait */
        say(event->wd, name);
    }
}

static void say_held(int64_t until) {
    while (held_count > 0 && held[0].until <= until) {
        say(held[0].watch, held[0].name);
        let_go(0);
    }
}

static void drain(void) {
    static _Alignas(struct inotify_event) uint8_t bytes[16384];
    int left = 0; /* what is there now and no more: somebody may be making them as fast as we tell them */
    if (queue < 0 || ioctl(queue, FIONREAD, &left) != 0) {
        return;
    }
    while (left > 0) {
        ssize_t got = read(queue, bytes, sizeof bytes);
        if (got <= 0) {
            break;
        }
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(bytes + at);
            at += (ssize_t)(sizeof *event + event->len);
            take(event);
        }
        left -= (int)got;
    }
}

void events_tell(void) {
    drain();
    if (held_count > 0) {
        say_held(now());
    }
    finish();
}

void events_settle(void) {
    drain();
    say_held(INT64_MAX);
    finish();
}

int events_patience(void) {
    if (held_count == 0) {
        return -1;
    }
    int64_t left = held[0].until - now();
    return left > 0 ? (int)left : 0;
}
