/* The disk with the volumes, those, and files that come from the host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"
#include "settle_facts.h"
#include "text.h"

#define DATA "/run/devbox/data"
#define NEW DATA "/.new"
#define IMAGE "/run/devbox/image" /* the root disk without what is mounted over it */
#define RESIZE _IOW('f', 16, uint64_t) /* ext4's */

enum { CANNOT = 127, DIRECTORIES = 0777, FILES = 0666 };
/* Of ext4: where its first block begins, which is as long, and what lies where in it. */
enum { SUPERBLOCK = 1024, BLOCKS = 4, BLOCK_SCALE = 24, SCALE_MOST = 15, BLOCKS_HIGH = 336 };

static bool image_is_there;

static bool join(char room[static PATH_MAX], const char *const *parts) {
    if (!text_join(room, PATH_MAX, parts)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

static bool make_directories(const char *path) {
    char part[PATH_MAX];
    struct stat found;
    if (!join(part, (const char *const[]){path, NULL})) {
        return false;
    }
    for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(part, DIRECTORIES) != 0 && errno != EEXIST) {
            return false;
        }
        *at = '/';
    }
    return mkdir(part, DIRECTORIES) == 0 || (errno == EEXIST && stat(part, &found) == 0 && S_ISDIR(found.st_mode));
}

static bool is_same(const char *one, const char *other) {
    struct stat first;
    struct stat second;
    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* The name below /dev of the disk with this serial number in `room`. */
static bool find_disk(const char *serial, char room[static PATH_MAX]) {
    DIR *disks = opendir("/sys/block");
    struct dirent *entry;
    bool found = false;
    while (disks != NULL && !found && (entry = readdir(disks)) != NULL) {
        char path[PATH_MAX];
        size_t size;
        if (entry->d_name[0] == '.' || !join(path, (const char *const[]){"/sys/block/", entry->d_name, "/serial", NULL})) {
            continue;
        }
        char *text = facts_read(path, &size);
        found = text != NULL && strncmp(text, serial, strlen(serial)) == 0 &&
                strchr("\n", text[strlen(serial)]) != NULL && join(room, (const char *const[]){"/dev/", entry->d_name, NULL});
        free(text);
    }
    if (disks != NULL) {
        closedir(disks);
    }
    if (!found) {
        errno = ENODEV;
    }
    return found;
}

/* The name below /dev of the disk that the file system of `found` is on, in `room`. */
static bool name_disk(const struct stat *found, char room[static PATH_MAX]) {
    char file[PATH_MAX];
    char numbers[2][21];
    size_t size;
    const char *const parts[] = {"/sys/dev/block/", text_number(numbers[0], major(found->st_dev)), ":",
                                 text_number(numbers[1], minor(found->st_dev)), "/uevent", NULL};
    char *text = join(file, parts) ? facts_read(file, &size) : NULL;
    char *name = text == NULL ? NULL : strstr(text, "DEVNAME=");
    if (name != NULL) {
        name += strlen("DEVNAME=");
        name[strcspn(name, "\n")] = '\0';
    }
    bool known = name != NULL && join(room, (const char *const[]){"/dev/", name, NULL});
    free(text);
    return known;
}

/* How many blocks the disk has, and how many of them the ext4 on it. */
static bool count_blocks(const char *disk, uint64_t *all, uint64_t *used) {
    uint8_t super[SUPERBLOCK];
    uint64_t bytes;
    int fd = open(disk, O_RDONLY | O_CLOEXEC);
    bool read = fd >= 0 && pread(fd, super, sizeof super, SUPERBLOCK) == (ssize_t)sizeof super &&
                ioctl(fd, (int)BLKGETSIZE64, &bytes) == 0;
    if (read) {
        uint32_t words[3]; /* blocks, the upper half of their number, and how a block is larger than 1 KiB */
        memcpy(&words[0], super + BLOCKS, sizeof words[0]);
        memcpy(&words[1], super + BLOCKS_HIGH, sizeof words[1]);
        memcpy(&words[2], super + BLOCK_SCALE, sizeof words[2]);
        *used = (uint64_t)words[1] << 32 | words[0];
        *all = bytes / SUPERBLOCK >> (words[2] & SCALE_MOST);
    }
    if (fd >= 0) {
        close(fd);
    }
    return read;
}

/* The file system at `path` has its whole disk from now on. One that cannot grow is as good as it was; one that need not
 * is left alone, since the kernel would write all of its journal back. */
static void grow(const char *path) {
    char disk[PATH_MAX];
    struct stat found;
    uint64_t all;
    uint64_t used;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &found) == 0 && name_disk(&found, disk) && count_blocks(disk, &all, &used) && all > used) {
        (void)ioctl(fd, RESIZE, &all);
    }
    if (fd >= 0) {
        close(fd);
    }
}

bool settle_grow(const struct fact *fact) {
    grow(fact->value);
    return true;
}

bool settle_data(const struct fact *fact) {
    char disk[PATH_MAX];
    struct stat place;
    struct stat parent;
    if (!make_directories(DATA) || stat(DATA, &place) != 0 || stat(DATA "/..", &parent) != 0) {
        return false;
    }
    if (place.st_dev == parent.st_dev && (!find_disk(fact->value, disk) || mount(disk, DATA, "ext4", 0, NULL) != 0)) {
        return false;
    }
    grow(DATA);
    return true;
}

static const char *second(const struct fact *fact) {
    return fact->value + strlen(fact->value) + 1;
}

/* What is mounted from here on is not seen below it. */
static bool show_image(void) {
    if (!image_is_there) {
        image_is_there = make_directories(IMAGE) && mount("/", IMAGE, NULL, MS_BIND, NULL) == 0;
        if (image_is_there && mount(NULL, IMAGE, NULL, MS_PRIVATE, NULL) != 0) {
            return false;
        }
    }
    return image_is_there;
}

bool settle_end(void) {
    if (image_is_there && umount2(IMAGE, MNT_DETACH) != 0) {
        return false;
    }
    image_is_there = false;
    return true;
}

/* It says on stderr what is in its way. */
static bool run(const char *program, const char *const *words) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execv(program, (char *const *)words);
        _exit(CANNOT);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    errno = EIO;
    return status == 0;
}

static bool copy_all(const char *from, const char *to) {
    return run("/bin/cp", (const char *const[]){"cp", "-a", from, to, NULL});
}

static bool remove_all(const char *path) {
    struct stat found;
    return stat(path, &found) != 0 || run("/bin/rm", (const char *const[]){"rm", "-rf", path, NULL});
}

/* A new volume under its name, or none: whoever is killed in between begins again. */
static bool make_volume(const char *place, const char *path, bool filled) {
    char from[PATH_MAX];
    struct stat found;
    if (stat(path, &found) == 0) {
        return true;
    }
    if (!remove_all(NEW) || mkdir(NEW, DIRECTORIES) != 0) {
        return false;
    }
    if (filled) {
        if (!show_image() || !join(from, (const char *const[]){IMAGE, place, "/.", NULL})) {
            return false;
        }
        if (stat(from, &found) == 0 && S_ISDIR(found.st_mode) && !copy_all(from, NEW "/")) {
            return false;
        }
    }
    return rename(NEW, path) == 0;
}

static bool is_name(const char *text) {
    return *text != '\0' && *text != '.' && strchr(text, '/') == NULL;
}

bool settle_is_renamed(const struct fact *fact) {
    size_t before = strlen(fact->value);
    return before < fact->size && is_name(fact->value) && is_name(second(fact)) &&
           before + 1 + strlen(second(fact)) == fact->size;
}

/* What is mounted is the directory, whatever its name. */
bool settle_renamed(const struct fact *fact) {
    char before[PATH_MAX];
    char now[PATH_MAX];
    return join(before, (const char *const[]){DATA "/", fact->value, NULL}) &&
           join(now, (const char *const[]){DATA "/", second(fact), NULL}) && rename(before, now) == 0;
}

/* With what is mounted below it. A directory that was there before may have something in it. */
bool settle_left(const struct fact *fact) {
    if (umount2(fact->value, MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
        return false;
    }
    (void)rmdir(fact->value);
    return true;
}

bool settle_is_volume(const struct fact *fact) {
    if (strlen(fact->value) >= fact->size || !is_name(fact->value)) {
        return false;
    }
    const char *place = second(fact);
    const char *how = place + strlen(place) + 1;
    return *place == '/' && how < fact->value + fact->size &&
           how + strlen(how) == fact->value + fact->size && (strcmp(how, "filled") == 0 || strcmp(how, "bare") == 0);
}

bool settle_volume(const struct fact *fact) {
    char path[PATH_MAX];
    const char *place = second(fact);
    bool filled = strcmp(place + strlen(place) + 1, "filled") == 0;
    if (!join(path, (const char *const[]){DATA "/", fact->value, NULL})) {
        return false;
    }
    if (is_same(path, place)) {
        return true;
    }
    return make_volume(place, path, filled) && make_directories(place) && mount(path, place, NULL, MS_BIND, NULL) == 0;
}

bool settle_is_file(const struct fact *fact) {
    return *fact->value == '/' && strlen(fact->value) < fact->size;
}

static bool write_whole(int fd, const char *at, const char *end) {
    ssize_t put = 0;
    while (at < end && (put = write(fd, at, (size_t)(end - at))) > 0) {
        at += put;
    }
    return at == end;
}

bool settle_file(const struct fact *fact) {
    char parent[PATH_MAX];
    char draft[PATH_MAX];
    if (!join(parent, (const char *const[]){fact->value, NULL}) ||
        !join(draft, (const char *const[]){fact->value, ".new", NULL}) || !make_directories(dirname(parent))) {
        return false;
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILES);
    if (fd < 0) {
        return false;
    }
    bool done = write_whole(fd, second(fact), fact->value + fact->size);
    return close(fd) == 0 && done && rename(draft, fact->value) == 0;
}
