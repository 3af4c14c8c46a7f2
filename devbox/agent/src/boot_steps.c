#include "boot_steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "facts.h"
#include "text.h"

#define MODULES "/modules"

enum { DEVICE_TIME = 10000, DEVICE_PAUSE = 5, COPIED = 65536, MODULES_MOST = 512, NANO = 1000000 }; /* times in ms */

static const char *files[MODULES_MOST];

static void pause_ms(long time) {
    (void)nanosleep(&(struct timespec){.tv_nsec = time * NANO}, NULL);
}

void boot_give_up(const char *what) {
    const char *why = strerror(errno);
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    text_say(console, (const char *const[]){"devbox: boot: ", what, ": ", why, "\n", NULL});
    (void)tcdrain(console);
    sync();
    (void)reboot(RB_POWER_OFF);
    for (;;) { /* process 1 must not end */
        pause();
    }
}

const char *boot_fact(const char *name) {
    char path[BOOT_PATH];
    size_t size;
    if (!text_join(path, sizeof path, (const char *const[]){BOOT_FACTS "/", name, NULL})) {
        return "";
    }
    const char *text = facts_read(path, &size);
    if (text == NULL && errno != ENOENT) {
        boot_give_up(name);
    }
    return text == NULL ? "" : text;
}

void boot_directory(const char *path, unsigned mode) {
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        boot_give_up(path);
    }
}

void boot_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options) {
    if (mount(source, target, type, flags, options) != 0) {
        boot_give_up(target);
    }
}

static bool write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0) {
            return false;
        }
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

static int create(const char *path, unsigned mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        boot_give_up(path);
    }
    return fd;
}

void boot_write(const char *path, const char *text, unsigned mode) {
    int fd = create(path, mode);
    if (!write_all(fd, text, strlen(text)) || close(fd) != 0) {
        boot_give_up(path);
    }
}

void boot_move_file(const char *from, const char *to, unsigned mode) {
    static char bytes[COPIED];
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) {
        boot_give_up(from);
    }
    int target = create(to, mode);
    ssize_t got;
    while ((got = read(source, bytes, sizeof bytes)) > 0) {
        if (!write_all(target, bytes, (size_t)got)) {
            boot_give_up(to);
        }
    }
    if (got < 0 || close(target) != 0 || close(source) != 0 || unlink(from) != 0) {
        boot_give_up(to);
    }
}

/* A few names, each put where it belongs among those before it; the library's sort is a hundredth of this program. */
static size_t insert(size_t count, const char *name) {
    size_t place = count;
    for (; place > 0 && strcmp(files[place - 1], name) > 0; place--) {
        files[place] = files[place - 1];
    }
    files[place] = name;
    return count + 1;
}

static size_t list_modules(DIR *directory) {
    size_t count = 0;
    struct dirent *entry;
    while (count < MODULES_MOST && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            count = insert(count, strdup(entry->d_name));
        }
    }
    return count;
}

/* One that is there already is fine, and so is one for which there is no device. */
static void load(int directory, const char *name) {
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST && errno != ENODEV)) {
        boot_give_up(name);
    }
    close(fd);
    (void)unlinkat(directory, name, 0); /* it takes memory */
}

void boot_load_modules(void) {
    DIR *directory = opendir(MODULES);
    if (directory == NULL && errno == ENOENT) {
        return; /* the kernel has all that it needs */
    }
    if (directory == NULL) {
        boot_give_up(MODULES);
    }
    size_t count = list_modules(directory);
    for (size_t index = 0; index < count; index++) {
        load(dirfd(directory), files[index]);
    }
    closedir(directory);
}

void boot_await(const char *device) {
    for (int waited = 0; access(device, F_OK) != 0; waited += DEVICE_PAUSE) {
        if (waited >= DEVICE_TIME || *device == '\0') {
            boot_give_up(*device == '\0' ? "root" : device);
        }
        pause_ms(DEVICE_PAUSE);
    }
}
