#include "boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "boot_steps.h"
#include "machine.h"
#include "text.h"

static void open_console(void) {
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);
    for (int target = 0; fd >= 0 && target < 3; target++) {
        dup2(fd, target);
    }
    if (fd > 2) {
        close(fd);
    }
}

static void mount_kernel(void) {
    boot_directory("/dev", 0755);
    boot_directory("/proc", 0555);
    boot_directory("/sys", 0555);
    boot_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    open_console();
    boot_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    boot_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* By default one page is enough for khugepaged to have the other 511 of its range as well. A program that wants much
 * at once still gets huge pages then, and a range that is full becomes one. Not every kernel has it. */
static void save_memory(void) {
    int fd = open("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

/* A machine without a clock of its own wakes in 1970; one with it knows better than what was written before it woke. */
static void set_clock(void) {
    struct timespec now = {.tv_sec = atoll(boot_fact("epoch"))};
    if (now.tv_sec > time(NULL) && clock_settime(CLOCK_REALTIME, &now) != 0) {
        boot_give_up("the clock");
    }
}

static void mount_root(void) {
    const char *device = boot_fact("root");
    boot_await(device);
    boot_directory(BOOT_ROOT, 0755);
    boot_mount(device, BOOT_ROOT, "ext4", 0, NULL);
    boot_directory(BOOT_ROOT "/run", 0755);
    boot_mount("tmpfs", BOOT_ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
}

/* The init needs them no more, and the agent reads them where they go. */
static void move_facts(void) {
    boot_directory(BOOT_ROOT "/run/devbox", 0700);
    boot_directory(BOOT_KEPT, 0700);
    boot_move_file("/init", BOOT_ROOT MACHINE_AGENT, 0755);
    DIR *facts = opendir(BOOT_FACTS);
    struct dirent *entry;
    while (facts != NULL && (entry = readdir(facts)) != NULL) {
        char from[BOOT_PATH];
        char to[BOOT_PATH];
        if (entry->d_name[0] != '.' &&
            text_join(from, sizeof from, (const char *const[]){BOOT_FACTS "/", entry->d_name, NULL}) &&
            text_join(to, sizeof to, (const char *const[]){BOOT_KEPT "/", entry->d_name, NULL})) {
            boot_move_file(from, to, 0600);
        }
    }
    if (facts == NULL || closedir(facts) != 0) {
        boot_give_up(BOOT_FACTS);
    }
}

static void carry_mount(const char *from, const char *to) {
    boot_directory(to, 0755);
    boot_mount(from, to, NULL, MS_MOVE, NULL);
}

static void switch_root(void) {
    carry_mount("/dev", BOOT_ROOT "/dev");
    carry_mount("/proc", BOOT_ROOT "/proc");
    carry_mount("/sys", BOOT_ROOT "/sys");
    if (chdir(BOOT_ROOT) != 0) {
        boot_give_up(BOOT_ROOT);
    }
    boot_mount(".", "/", NULL, MS_MOVE, NULL);
    if (chroot(".") != 0 || chdir("/") != 0) {
        boot_give_up("the new root");
    }
}

static void link_device(const char *target, const char *path) {
    if (symlink(target, path) != 0 && errno != EEXIST) {
        boot_give_up(path);
    }
}

/* What an init would do, as far as a container has it. */
static void mount_minimal(void) {
    boot_directory("/dev/pts", 0755);
    boot_directory("/dev/shm", 01777);
    boot_directory("/dev/mqueue", 01777);
    boot_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666");
    boot_mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    boot_mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    boot_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    link_device("/proc/self/fd", "/dev/fd");
    link_device("/proc/self/fd/0", "/dev/stdin");
    link_device("/proc/self/fd/1", "/dev/stdout");
    link_device("/proc/self/fd/2", "/dev/stderr");
}

void boot(char **words) {
    umask(0);
    mount_kernel();
    save_memory();
    set_clock();
    boot_load_modules();
    mount_root();
    const char *init = boot_fact("init");
    boot_start_network();
    move_facts();
    boot_name_machine();
    switch_root();
    umask(022);
    if (strcmp(init, "agent") == 0) {
        mount_minimal();
        execl(MACHINE_AGENT, MACHINE_AGENT, "machine", (char *)NULL);
        boot_give_up(MACHINE_AGENT);
    }
    words[0] = strdup(init);
    execv(init, words);
    boot_give_up(init);
}
