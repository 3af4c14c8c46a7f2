/* Socket addresses out of text, and back. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* Literal IPv4 or IPv6 addresses; false for any other text. */
bool address_ip(struct address *address, const char *host, uint16_t port);
/* False if the path is too long or not absolute. */
bool address_unix(struct address *address, const char *path);
const struct sockaddr *address_of(const struct address *address);
int address_family(const struct address *address);
/* The port, and the address as text in `room`; 0 and "" for a unix socket. */
uint16_t address_tell(const struct address *address, char room[static 64]);

#endif
