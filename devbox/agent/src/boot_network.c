#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot_steps.h"
#include "facts.h"
#include "text.h"

enum { BITS = 32, ETHERNET = 1 };

struct network {
    const char *address; /* "": none */
    const char *gateway;
    const char *dns;
    int bits;
};

static struct network network = {.address = "", .gateway = "", .dns = ""};
/* The wire to the other machines of the project: its hardware address, "" if there is none. */
static const char *private_device = "";

static void bad(void) {
    errno = EINVAL;
    boot_give_up("network");
}

/* Cut "10.0.2.15/24" at its slash and return how many bits are the network's. */
static int cut_bits(char *address) {
    char *slash = address == NULL ? NULL : strchr(address, '/');
    if (slash == NULL) {
        bad();
    }
    *slash = '\0';
    int bits = atoi(slash + 1);
    if (bits < 1 || bits > BITS) {
        bad();
    }
    return bits;
}

/* "10.0.2.15/24 10.0.2.2 10.0.2.3" */
static void parse(char *text) {
    char *rest;
    char *address = strtok_r(text, " \n", &rest);
    network.address = address;
    network.gateway = strtok_r(NULL, " \n", &rest);
    network.dns = strtok_r(NULL, " \n", &rest);
    if (network.gateway == NULL || network.dns == NULL) {
        bad();
    }
    network.bits = cut_bits(address);
}

static void put_address(struct sockaddr *place, in_addr_t address) {
    struct sockaddr_in found = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    memcpy(place, &found, sizeof found);
}

static in_addr_t read_address(const char *text) {
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        bad();
    }
    return address.s_addr;
}

static void set_up(int fd, struct ifreq *request) {
    request->ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, request) != 0) {
        boot_give_up(request->ifr_name);
    }
}

static void set_address(int fd, struct ifreq *request, const char *address, int bits) {
    put_address(&request->ifr_addr, read_address(address));
    if (ioctl(fd, SIOCSIFADDR, request) != 0) {
        boot_give_up(request->ifr_name);
    }
    put_address(&request->ifr_netmask, htonl(~0U << (BITS - bits)));
    if (ioctl(fd, SIOCSIFNETMASK, request) != 0) {
        boot_give_up(request->ifr_name);
    }
}

static void set_route(int fd, char *device) {
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = device};
    put_address(&route.rt_dst, INADDR_ANY);
    put_address(&route.rt_genmask, INADDR_ANY);
    put_address(&route.rt_gateway, read_address(network.gateway));
    if (ioctl(fd, SIOCADDRT, &route) != 0) {
        boot_give_up("the default route");
    }
}

static bool is_ethernet(const char *name) {
    char path[BOOT_PATH];
    size_t size;
    if (name[0] == '.' || strcmp(name, "lo") == 0 ||
        !text_join(path, sizeof path, (const char *const[]){"/sys/class/net/", name, "/type", NULL})) {
        return false;
    }
    const char *type = facts_read(path, &size);
    return type != NULL && atoi(type) == ETHERNET;
}

static bool is_private(const char *name) {
    char path[BOOT_PATH];
    size_t size;
    if (*private_device == '\0' ||
        !text_join(path, sizeof path, (const char *const[]){"/sys/class/net/", name, "/address", NULL})) {
        return false;
    }
    const char *address = facts_read(path, &size);
    return address != NULL && strncmp(address, private_device, strlen(private_device)) == 0;
}

/* The name of the first one in `room` that leads outside, or to the other machines. */
static void find_device(char room[static IFNAMSIZ], bool private) {
    DIR *devices = opendir("/sys/class/net");
    bool found = false;
    struct dirent *entry;
    while (devices != NULL && !found && (entry = readdir(devices)) != NULL) {
        found = is_ethernet(entry->d_name) && is_private(entry->d_name) == private &&
                text_join(room, IFNAMSIZ, (const char *const[]){entry->d_name, NULL});
    }
    if (!found) {
        errno = ENODEV;
        boot_give_up("network");
    }
    closedir(devices);
}

/* "52:54:01:12:34:56 198.19.1.2/16" */
static void start_private(int fd, char *text) {
    char *rest;
    struct ifreq request = {0};
    private_device = strtok_r(text, " \n", &rest);
    char *address = strtok_r(NULL, " \n", &rest);
    int bits = cut_bits(address);
    find_device(request.ifr_name, true);
    set_address(fd, &request, address, bits);
    set_up(fd, &request);
}

void boot_start_network(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    if (fd < 0) {
        boot_give_up("network");
    }
    set_up(fd, &request);
    const char *text = boot_fact("private");
    if (*text != '\0') {
        start_private(fd, strdup(text));
    }
    text = boot_fact("network");
    if (*text != '\0') {
        parse(strdup(text));
        request = (struct ifreq){0};
        find_device(request.ifr_name, false);
        set_address(fd, &request, network.address, network.bits);
        set_up(fd, &request);
        set_route(fd, request.ifr_name);
    }
    close(fd);
}

/* As an engine does: where the disk has such a file of its own. A link may lead anywhere. */
static void lay_over(const char *name, const char *over, const char *text) {
    char ours[BOOT_PATH];
    char place[BOOT_PATH];
    struct stat found;
    if (!text_join(ours, sizeof ours, (const char *const[]){BOOT_KEPT "/", name, NULL}) ||
        !text_join(place, sizeof place, (const char *const[]){BOOT_ROOT "/etc/", over, NULL})) {
        return;
    }
    boot_write(ours, text, 0644);
    if (lstat(place, &found) == 0 && S_ISREG(found.st_mode)) {
        boot_mount(ours, place, NULL, MS_BIND, NULL);
    }
}

void boot_name_machine(void) {
    static char text[4 * BOOT_PATH];
    size_t size;
    const char *name = facts_read(BOOT_KEPT "/hostname", &size);
    if (name == NULL || *name == '\0') {
        name = "devbox";
    }
    if (sethostname(name, strlen(name)) != 0) {
        boot_give_up("hostname");
    }
    const char *own = *network.address == '\0' ? "127.0.1.1" : network.address;
    const char *const hosts[] = {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", own, "\t", name, "\n", NULL,
    };
    if (text_join(text, sizeof text, hosts)) {
        lay_over("hosts", "hosts", text);
    }
    if (text_join(text, sizeof text, (const char *const[]){name, "\n", NULL})) {
        lay_over("hostname.line", "hostname", text);
    }
    const char *const resolver[] = {"nameserver ", network.dns, "\n", NULL};
    if (*network.dns != '\0' && text_join(text, sizeof text, resolver)) {
        lay_over("resolv.conf", "resolv.conf", text);
    }
}
