#include "credentials.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAPABILITY_WORDS = 2, CAPABILITIES_MOST = 64 };

static bool drop_bounding(const struct user *user) {
    if (user->uid == 0) {
        return prctl(PR_CAPBSET_DROP, CAP_SETPCAP, 0, 0, 0) == 0;
    }
    for (unsigned long number = 0; number < CAPABILITIES_MOST; number++) {
        if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
            return errno == EINVAL && number > 0; /* the kernel knows no more of them */
        }
    }
    return true;
}

static bool limit_capabilities(bool keep) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct words[CAPABILITY_WORDS];
    memset(words, 0, sizeof words);
    if (keep && syscall(SYS_capget, &header, words) != 0) {
        return false;
    }
    words[0].effective &= ~(1U << CAP_SETPCAP);
    words[0].permitted &= ~(1U << CAP_SETPCAP);
    words[0].inheritable = 0;
    words[1].inheritable = 0;
    return syscall(SYS_capset, &header, words) == 0;
}

static bool drop_ambient(void) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 || errno == EINVAL; /* before Linux 4.3 */
}

bool credentials_of_machine;

bool credentials_become(const struct user *user) {
    if (!credentials_of_machine && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return false;
    }
    if (geteuid() != 0) {
        errno = EPERM;
        return user->uid == geteuid() && drop_ambient();
    }
    if ((!credentials_of_machine && !drop_bounding(user)) || !drop_ambient()) {
        return false;
    }
    /* Not by libc, which sees to other threads, that are not there. */
    if (syscall(SYS_setgroups, user->group_count, user->groups) != 0 ||
        syscall(SYS_setresgid, user->gid, user->gid, user->gid) != 0 ||
        syscall(SYS_setresuid, user->uid, user->uid, user->uid) != 0) {
        return false;
    }
    return credentials_of_machine || limit_capabilities(user->uid == 0);
}
