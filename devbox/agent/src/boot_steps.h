/* The steps of `boot`. What fails ends the machine, so that none of them has anything to report. */
#ifndef BOOT_STEPS_H
#define BOOT_STEPS_H

#include <stddef.h>

#define BOOT_FACTS "/devbox"
#define BOOT_ROOT "/root" /* where the machine's disk is mounted */
#define BOOT_KEPT BOOT_ROOT "/run/devbox/boot"

enum { BOOT_PATH = 512 };

/* Say what failed, and errno, and go off. */
_Noreturn void boot_give_up(const char *what);

/* One word about the machine; "" if nothing is said. */
const char *boot_fact(const char *name);
void boot_directory(const char *path, unsigned mode);
void boot_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options);
void boot_write(const char *path, const char *text, unsigned mode);
/* Copy a file, and remove it here, where it takes memory. */
void boot_move_file(const char *from, const char *to, unsigned mode);

void boot_load_modules(void);
/* The device is there, or comes soon. */
void boot_await(const char *device);
void boot_start_network(void);
/* resolv.conf, hosts and hostname, over those of the disk. */
void boot_name_machine(void);

#endif
