#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"

enum { BASE = 10, SEED = 64, BITS = 8, SECOND = 1000000000 }; /* in bytes; bits of one; in nanoseconds */

struct seed {
    int bits;
    int size;
    uint8_t bytes[SEED];
};

static bool read_time(const char *nanoseconds, struct timespec *time) {
    char *end;
    errno = 0;
    unsigned long long found = strtoull(nanoseconds, &end, BASE);
    if (*nanoseconds < '0' || *nanoseconds > '9' || *end != '\0' || errno != 0) {
        errno = EINVAL;
        return false;
    }
    *time = (struct timespec){.tv_sec = (time_t)(found / SECOND), .tv_nsec = (long)(found % SECOND)};
    return true;
}

static bool read_seed(struct seed *seed) {
    ssize_t got = 1;
    while (seed->size < SEED && got > 0) {
        got = read(STDIN_FILENO, seed->bytes + seed->size, (size_t)(SEED - seed->size));
        seed->size += got > 0 ? (int)got : 0;
    }
    if (got >= 0 && seed->size < SEED) {
        errno = ENODATA;
    }
    seed->bits = seed->size * BITS;
    return seed->size == SEED;
}

/* At once: else the next numbers could be those that follow the state, which lies in a file. */
static bool mix(const struct seed *seed) {
    int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && ioctl(fd, RNDADDENTROPY, seed) == 0 &&
                (ioctl(fd, RNDRESEEDCRNG) == 0 || errno == ENODATA); /* it has no numbers yet that could follow */
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return done;
}

int wake(const char *nanoseconds) {
    struct timespec now;
    struct seed seed = {0};
    if (!read_time(nanoseconds, &now)) {
        return serve_fail("the time");
    }
    if (!read_seed(&seed)) {
        return serve_fail("stdin");
    }
    if (clock_settime(CLOCK_REALTIME, &now) != 0) {
        return serve_fail("the clock");
    }
    return mix(&seed) ? 0 : serve_fail("random numbers");
}
