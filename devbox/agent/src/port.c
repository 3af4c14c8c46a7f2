#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "door.h"
#include "loop.h"
#include "text.h"

enum {
    FULL = 131072,       /* bytes that wait; above it no more is taken from who can wait */
    OUT_MOST = 1048576,  /* above it nothing is read, as it might be answered */
    PIECE = 32768,       /* what the device takes at once */
    READS_MOST = 32,     /* of a device that has a page for each, before others have their turn */
};

static const struct port_events *events;
static struct source source = {.fd = -1};
static struct buffer out;
static uint8_t input[PORT_INPUT];
static size_t input_size;
static bool is_socket;
static bool somebody; /* is there, on the host */
static bool broken;   /* something was lost on its way out: what comes behind it would make no sense */
static bool over;

static void choose_events(void) {
    if (broken) {
        source_want(&source, EPOLLIN | EPOLLOUT); /* the next turn sees to it */
        return;
    }
    if (!somebody) {
        /* A device without a host is readable for ever: it tells of a change alone. */
        source_want(&source, EPOLLIN | EPOLLOUT | EPOLLET);
        return;
    }
    uint32_t wanted = out.size > 0 ? EPOLLOUT : 0;
    source_want(&source, out.size <= OUT_MOST ? wanted | EPOLLIN : wanted);
}

static void lose(void) {
    bool was = somebody;
    somebody = false;
    broken = false;
    buffer_free(&out);
    input_size = 0;
    if (was) {
        events->went();
    }
}

static void find(void) {
    if (!somebody) {
        somebody = true;
        events->came();
    }
}

/* Whoever uses it may send, but loses nobody (see `port_send`): what is left is where it was. */
static void use_input(void) {
    size_t used = events->bytes(input, input_size);
    input_size -= used;
    memmove(input, input + used, input_size);
}

/* True if there may be more. */
static bool fill(void) {
    ssize_t got = read(source.fd, input + input_size, sizeof input - input_size);
    if (got > 0) {
        find();
        input_size += (size_t)got;
        use_input();
        return out.size <= OUT_MOST;
    }
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got < 0 && errno == EAGAIN) {
        find();
    } else {
        over = is_socket;
        lose();
    }
    return false;
}

static void flush(void) {
    bool was_full = port_is_full();
    while (out.size > 0) {
        size_t size = out.size < PIECE ? out.size : PIECE;
        ssize_t put = write(source.fd, buffer_head(&out), size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && errno != EAGAIN) {
            lose();
            return;
        }
        if (put <= 0) {
            break;
        }
        buffer_drop(&out, (size_t)put);
    }
    if (was_full && !port_is_full()) {
        events->room();
    }
}

static void ready(struct source *fired, uint32_t happened) {
    (void)fired;
    (void)happened;
    if (broken) {
        lose();
    }
    for (int count = 0; count < READS_MOST && fill(); count++) {
    }
    if (somebody) {
        flush();
    }
    choose_events();
}

bool port_open(const char *path, const struct port_events *listener) {
    struct stat found;
    if (stat(path, &found) != 0) {
        return false;
    }
    is_socket = S_ISSOCK(found.st_mode);
    int fd = is_socket ? door_connect(path) : open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || (is_socket && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) || !source_open(&source, fd, ready)) {
        return false;
    }
    events = listener;
    choose_events();
    return true;
}

bool port_is_over(void) {
    return over;
}

void port_send(const void *bytes, size_t size) {
    if (!somebody || broken) {
        return;
    }
    ssize_t put = out.size == 0 ? write(source.fd, bytes, size) : 0;
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
        put = 0;
    }
    /* Whoever calls has strands in its hands, which to lose somebody would destroy. */
    broken = put < 0 || !buffer_add(&out, (const uint8_t *)bytes + put, size - (size_t)put);
    choose_events();
}

bool port_is_full(void) {
    return out.size > FULL;
}

static bool has_name(const char *entry, const char *name) {
    char path[512];
    char found[128];
    if (!text_join(path, sizeof path, (const char *const[]){"/sys/class/virtio-ports/", entry, "/name", NULL})) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, found, sizeof found);
    close(fd);
    size_t size = strlen(name);
    return got >= (ssize_t)size && memcmp(found, name, size) == 0 && (got == (ssize_t)size || found[size] == '\n');
}

bool port_find(const char *name, char *path, size_t size) {
    DIR *ports = opendir("/sys/class/virtio-ports");
    bool found = false;
    struct dirent *entry;
    while (ports != NULL && !found && (entry = readdir(ports)) != NULL) {
        found = has_name(entry->d_name, name) &&
                text_join(path, size, (const char *const[]){"/dev/", entry->d_name, NULL});
    }
    if (ports != NULL) {
        closedir(ports);
    }
    return found;
}
