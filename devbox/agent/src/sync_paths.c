#include "sync_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync_packet.h"

enum { RACES = 64, DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static int root = -1;
static const char *root_path;
static bool by_steps; /* the kernel (before 5.6), or what filters its calls, has no openat2 */
static int kept = -1; /* the directory that was used last */
static char kept_path[PATH_MAX];

static int beneath(const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    errno = EAGAIN; /* something was renamed at that moment */
    for (int tries = 0; fd < 0 && errno == EAGAIN && tries < RACES; tries++) {
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    }
    return fd;
}

int paths_open_root(const char *path) {
    root_path = path;
    root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int probe = root >= 0 ? beneath(".", DIRECTORY) : -1;
    by_steps = probe < 0;
    if (probe >= 0) {
        close(probe);
    }
    return root;
}

bool path_is_good(const char *path) {
    if (strlen(path) >= PATH_MAX) {
        return false;
    }
    for (;;) {
        size_t size = strcspn(path, "/");
        bool dots = path[0] == '.' && (size == 1 || (size == 2 && path[1] == '.'));
        if (size == 0 || dots) { /* what is too long the kernel will say */
            return false;
        }
        if (path[size] == '\0') {
            return true;
        }
        path += size + 1;
    }
}

char *read_path(struct reader *reader) {
    char *path = read_str(reader);
    reader->bad = reader->bad || !path_is_good(path);
    return path;
}

/* Go from directory to directory; those that are missing are made if wanted. */
static int step_by_step(const char *path, size_t size, bool make) {
    char names[PATH_MAX];
    memcpy(names, path, size);
    names[size] = '\0';
    int at = openat(root, ".", DIRECTORY);
    char *name = names;
    while (at >= 0 && *name != '\0') {
        size_t length = strcspn(name, "/");
        bool last = name[length] == '\0';
        name[length] = '\0';
        int next = make && mkdirat(at, name, 0700) != 0 && errno != EEXIST ? -1 : openat(at, name, DIRECTORY);
        int error = errno;
        close(at);
        errno = error;
        at = next;
        name += last ? length : length + 1;
    }
    return at;
}

static size_t parent_size(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

static int open_parent(const char *path, size_t size) {
    if (by_steps) {
        return step_by_step(path, size, false);
    }
    memcpy(kept_path, path, size);
    kept_path[size] = '\0';
    return beneath(kept_path, DIRECTORY);
}

struct place path_place(const char *path) {
    size_t size = parent_size(path);
    struct place place = {.parent = root, .name = size == 0 ? path : path + size + 1};
    if (size == 0) {
        return place;
    }
    if (kept < 0 || memcmp(kept_path, path, size) != 0 || kept_path[size] != '\0') {
        paths_forget();
        kept = open_parent(path, size);
        memcpy(kept_path, path, size);
        kept_path[size] = '\0';
    }
    place.parent = kept;
    return place;
}

void paths_require(const char *path) {
    struct stat ours, there;
    if (path[0] != '\0') {
        return;
    }
    if (fstat(root, &ours) != 0 || stat(root_path, &there) != 0 || ours.st_ino != there.st_ino ||
        ours.st_dev != there.st_dev) {
        _exit(0);
    }
}

void paths_forget(void) {
    if (kept >= 0) {
        close(kept);
        kept = -1;
    }
}

int path_open(const char *path, int flags) {
    if (!by_steps) {
        return beneath(path[0] == '\0' ? "." : path, flags | O_NOFOLLOW);
    }
    if (path[0] == '\0') {
        return openat(root, ".", flags | O_CLOEXEC);
    }
    struct place place = path_place(path);
    return place.parent < 0 ? -1 : openat(place.parent, place.name, flags | O_NOFOLLOW | O_CLOEXEC);
}

int path_open_apart(const char *path, int flags) {
    return by_steps ? -1 : beneath(path[0] == '\0' ? "." : path, flags | O_NOFOLLOW);
}

int path_make_parents(const char *path) {
    return step_by_step(path, parent_size(path), true);
}

bool path_is_gone(int error) {
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}
