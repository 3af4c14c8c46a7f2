/* Who the machine is, what time it is there, and that it may not be alone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "facts.h"
#include "machine.h"
#include "settle_facts.h"
#include "text.h"

#define FILE_OF_ID "/etc/machine-id"

/* In bytes; bits of one; in nanoseconds. */
enum { ID = 32, BASE = 10, HEX = 16, SEED = 64, BITS = 8, SECOND = 1000000000, MAC = 6, MAC_TEXT = 17, INTERFACES_MOST = 64 };

struct seed {
    int bits;
    int size;
    uint8_t bytes[SEED];
};

static bool has_new_identity;

/* If it is one. What went wrong before is still to be told. */
static void close_one(int fd) {
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = error;
}

static bool read_time(const struct fact *fact, struct timespec *time) {
    char *end;
    errno = 0;
    unsigned long long found = strtoull(fact->value, &end, BASE);
    *time = (struct timespec){.tv_sec = (time_t)(found / SECOND), .tv_nsec = (long)(found % SECOND)};
    return *fact->value >= '0' && *fact->value <= '9' && end == fact->value + fact->size && errno == 0;
}

bool settle_is_time(const struct fact *fact) {
    struct timespec now;
    return read_time(fact, &now);
}

bool settle_time(const struct fact *fact) {
    struct timespec now;
    return read_time(fact, &now) && clock_settime(CLOCK_REALTIME, &now) == 0;
}

bool settle_is_seed(const struct fact *fact) {
    return fact->size == SEED;
}

/* At once: else the next numbers could be those that follow the state, which lies in a file. */
bool settle_seed(const struct fact *fact) {
    struct seed seed = {.bits = SEED * BITS, .size = SEED};
    memcpy(seed.bytes, fact->value, SEED);
    int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    bool added = fd >= 0 && ioctl(fd, RNDADDENTROPY, &seed) == 0;
    explicit_bzero(&seed, sizeof seed);
    added = added && (ioctl(fd, RNDRESEEDCRNG) == 0 || errno == ENODATA); /* it has no numbers yet that could follow */
    close_one(fd);
    return added;
}

static bool parse_mac(const char *text, char behind, uint8_t mac[static MAC]) {
    for (int index = 0; index < MAC; index++) {
        char *end;
        const char *digits = text + (ptrdiff_t)(MAC_TEXT + 1) / MAC * index;
        mac[index] = (uint8_t)strtoul(digits, &end, HEX);
        if (end != digits + 2 || *end != (index < MAC - 1 ? ':' : behind)) {
            return false;
        }
    }
    return true;
}

static bool read_macs(const struct fact *fact, uint8_t from[static MAC], uint8_t to[static MAC]) {
    return fact->size == 2 * MAC_TEXT + 1 && parse_mac(fact->value, ' ', from) &&
           parse_mac(fact->value + MAC_TEXT + 1, '\0', to);
}

bool settle_is_mac(const struct fact *fact) {
    uint8_t from[MAC];
    uint8_t to[MAC];
    return read_macs(fact, from, to);
}

/* Let the interface with the hardware address `from` have `to`; `request` has its name then. */
static bool change_mac(int fd, struct ifreq *request, const uint8_t from[static MAC], const uint8_t to[static MAC]) {
    for (int index = 1; index < INTERFACES_MOST; index++) {
        *request = (struct ifreq){.ifr_ifindex = index};
        if (ioctl(fd, SIOCGIFNAME, request) == 0 && ioctl(fd, SIOCGIFHWADDR, request) == 0 &&
            memcmp(request->ifr_hwaddr.sa_data, from, MAC) == 0) {
            memcpy(request->ifr_hwaddr.sa_data, to, MAC);
            return ioctl(fd, SIOCSIFHWADDR, request) == 0;
        }
    }
    errno = ENODEV;
    return false;
}

bool settle_mac(const struct fact *fact) {
    uint8_t from[MAC];
    uint8_t to[MAC];
    struct ifreq request;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool changed = fd >= 0 && read_macs(fact, from, to) && change_mac(fd, &request, from, to);
    close_one(fd);
    return changed;
}

/* "52:54:c6:13:00:01 52:54:c6:13:01:02 198.19.1.2" */
static bool read_wire(const struct fact *fact, uint8_t from[static MAC], uint8_t to[static MAC], in_addr_t *address) {
    const size_t behind = 2 * (MAC_TEXT + 1);
    struct in_addr found;
    if (fact->size <= behind || strlen(fact->value) != fact->size || !parse_mac(fact->value, ' ', from) ||
        !parse_mac(fact->value + MAC_TEXT + 1, ' ', to) || inet_pton(AF_INET, fact->value + behind, &found) != 1) {
        return false;
    }
    *address = found.s_addr;
    return true;
}

bool settle_is_wire(const struct fact *fact) {
    uint8_t from[MAC];
    uint8_t to[MAC];
    in_addr_t address;
    return read_wire(fact, from, to, &address);
}

static void put_address(struct ifreq *request, in_addr_t address) {
    struct sockaddr_in found = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    memcpy(&request->ifr_addr, &found, sizeof found);
}

static bool change_address(int fd, struct ifreq *request, in_addr_t address) {
    struct ifreq mask = *request; /* how many bits are the network's stays as it is */
    if (ioctl(fd, SIOCGIFNETMASK, &mask) != 0) {
        return false;
    }
    put_address(request, address);
    return ioctl(fd, SIOCSIFADDR, request) == 0 && ioctl(fd, SIOCSIFNETMASK, &mask) == 0;
}

bool settle_wire(const struct fact *fact) {
    uint8_t from[MAC];
    uint8_t to[MAC];
    in_addr_t address;
    struct ifreq request;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool changed = fd >= 0 && read_wire(fact, from, to, &address) && change_mac(fd, &request, from, to) &&
                   change_address(fd, &request, address);
    close_one(fd);
    return changed;
}

bool settle_is_text(const struct fact *fact) {
    return fact->size > 0 && strlen(fact->value) == fact->size;
}

/* In place: a file of this name may be mounted elsewhere. */
static bool write_over(const char *path, int more, const struct fact *fact) {
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | more, 0600);
    if (fd < 0) {
        return false;
    }
    size_t done = 0;
    ssize_t put = 0;
    while (done < fact->size && (put = write(fd, fact->value + done, fact->size - done)) > 0) {
        done += (size_t)put;
    }
    return close(fd) == 0 && done == fact->size;
}

bool settle_is_id(const struct fact *fact) {
    return fact->size == ID && strspn(fact->value, "0123456789abcdef") == ID;
}

/* Who looks for the journal of this machine finds that of the one which booted: its writer goes on in there. */
static void take_over_journal(const char *root, const char *before, const char *now) {
    char path[PATH_MAX];
    struct stat found;
    if (text_join(path, sizeof path, (const char *const[]){root, before, NULL}) && stat(path, &found) == 0 &&
        text_join(path, sizeof path, (const char *const[]){root, now, NULL})) {
        (void)symlink(before, path);
    }
}

/* An image without systemd may have none. */
bool settle_machine_id(const struct fact *fact) {
    char line[ID + 2];
    const struct fact whole = {.value = line, .size = ID + 1};
    size_t size;
    char *before = facts_read(FILE_OF_ID, &size);
    if (before == NULL) {
        return errno == ENOENT;
    }
    /* What is as long is written over, which the file system is done with sooner. */
    int more = size == whole.size ? 0 : O_TRUNC;
    (void)text_join(line, sizeof line, (const char *const[]){fact->value, "\n", NULL});
    before[strcspn(before, "\n")] = '\0';
    if (strlen(before) == ID && strcmp(before, fact->value) != 0) {
        take_over_journal("/run/log/journal/", before, fact->value);
        take_over_journal("/var/log/journal/", before, fact->value);
    }
    free(before);
    return write_over(FILE_OF_ID, more, &whole);
}

bool settle_word(const struct fact *fact) {
    char path[PATH_MAX];
    return text_join(path, sizeof path, (const char *const[]){MACHINE_FACTS "/", fact->kind, NULL}) &&
           write_over(path, O_CREAT | O_TRUNC, fact);
}

bool settle_hostname(const struct fact *fact) {
    return settle_word(fact) && sethostname(fact->value, fact->size) == 0;
}

bool settle_identity(const struct fact *fact) {
    has_new_identity = true;
    return settle_word(fact);
}

void settle_begin(void) {
    has_new_identity = false;
}

bool settle_is_somebody(void) {
    return has_new_identity;
}
