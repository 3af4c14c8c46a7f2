#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "text.h"

bool address_ip(struct address *address, const char *host, uint16_t port) {
    struct sockaddr_in *four = (struct sockaddr_in *)&address->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address->storage;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        address->size = sizeof *four;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        address->size = sizeof *six;
        return true;
    }
    return false;
}

bool address_unix(struct address *address, const char *path) {
    struct sockaddr_un *local = (struct sockaddr_un *)&address->storage;
    memset(address, 0, sizeof *address);
    if (path[0] != '/' || strlen(path) >= sizeof local->sun_path) {
        return false;
    }
    local->sun_family = AF_UNIX;
    strcpy(local->sun_path, path);
    address->size = sizeof *local;
    return true;
}

const struct sockaddr *address_of(const struct address *address) {
    return (const struct sockaddr *)&address->storage;
}

int address_family(const struct address *address) {
    return address->storage.ss_family;
}

static void tell_four(const uint8_t bytes[static 4], char *room) {
    char digits[4][21];
    const char *parts[8];
    for (size_t index = 0; index < 4; index++) {
        parts[2 * index] = text_number(digits[index], bytes[index]);
        parts[2 * index + 1] = index < 3 ? "." : NULL;
    }
    (void)text_join(room, 64, parts); /* fits: 15 */
}

/* Not the shortest way to write it, but one that everybody reads. */
static void tell_six(const uint8_t bytes[static 16], char *room) {
    static const char digits[] = "0123456789abcdef";
    for (size_t index = 0; index < 16; index++) {
        *room++ = digits[bytes[index] >> 4];
        *room++ = digits[bytes[index] & 15];
        if (index % 2 == 1) {
            *room++ = index < 15 ? ':' : '\0';
        }
    }
}

uint16_t address_tell(const struct address *address, char room[static 64]) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->storage;
    room[0] = '\0';
    switch (address_family(address)) {
    case AF_INET:
        tell_four((const uint8_t *)&four->sin_addr, room);
        return ntohs(four->sin_port);
    case AF_INET6:
        tell_six(six->sin6_addr.s6_addr, room);
        return ntohs(six->sin6_port);
    default:
        return 0;
    }
}
