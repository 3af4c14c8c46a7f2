#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dispatch.h"
#include "init.h"
#include "loop.h"
#include "text.h"

enum { BACKLOG = 128, RETRY_TIME = 100 };

static struct source door;
static struct timer timer;
static int directory = -1;
static struct sockaddr_un address;
static bool inside_only;

bool door_close_directory(void) {
    int fd = open("/run/devbox", O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_RDONLY);
    if (fd < 0) {
        return false;
    }
    /* An image may have brought the directory along, as anybody's. Nobody else runs yet. */
    bool good = fchown(fd, 0, 0) == 0 && fchmod(fd, 0700) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

/* The path by its directory's descriptor: however long it is, it fits into an address. */
static bool name_socket(const char *path) {
    char parent[4096];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof parent) {
        errno = EINVAL;
        return false;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    directory = open(parent, O_DIRECTORY | O_CLOEXEC | O_PATH);
    if (directory < 0) {
        return false;
    }
    address.sun_family = AF_UNIX;
    char number[21];
    const char *const parts[] = {"/proc/self/fd/", text_number(number, (uint64_t)directory), slash, NULL};
    if (!text_join(address.sun_path, sizeof address.sun_path, parts)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

static const char *socket_name(void) {
    return strrchr(address.sun_path, '/') + 1;
}

static bool is_welcome(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return false;
    }
    if (inside_only) {
        return peer.pid > 0 && peer.uid == 0;
    }
    return init_is_first() ? peer.pid == 0 : peer.uid == geteuid();
}

static void listen_again(struct timer *fired) {
    (void)fired;
    source_want(&door, EPOLLIN);
}

static void ready(struct source *source, uint32_t events) {
    (void)events;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            source_want(&door, 0); /* the one who knocks stays there, and would wake us without end */
            timer_start(&timer, RETRY_TIME, listen_again);
        }
        return;
    }
    if (is_welcome(fd)) {
        dispatch_open(fd);
    } else {
        close(fd);
    }
}

static bool bind_socket(int fd) {
    struct stat found;
    if (unlinkat(directory, socket_name(), 0) != 0 && errno != ENOENT) {
        return false;
    }
    mode_t mask = umask(0177);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    umask(mask);
    if (!bound || fstat(directory, &found) != 0) {
        return false;
    }
    if (found.st_uid != geteuid() && fchownat(directory, socket_name(), found.st_uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW)) {
        return false;
    }
    return listen(fd, BACKLOG) == 0;
}

bool door_open(const char *path, bool inside) {
    inside_only = inside;
    if (!name_socket(path)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !bind_socket(fd) || !source_open(&door, fd, ready)) {
        return false;
    }
    source_want(&door, EPOLLIN);
    return true;
}

void door_remove(void) {
    (void)unlinkat(directory, socket_name(), 0); /* is made anew at the next start anyway */
}

static void leave_directory(void) {
    int error = errno;
    if (directory >= 0) {
        close(directory);
    }
    directory = -1;
    errno = error;
}

int door_connect(const char *path) {
    int fd = name_socket(path) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    leave_directory();
    return fd;
}
