/* The port that leads out of a machine: what its hypervisor's socket is inside. Bytes both ways, and whether anybody is
   there on the host's side. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the port tells the floor above of. */
struct port_events {
    void (*came)(void); /* somebody is there */
    void (*went)(void); /* nobody is there any more */
    size_t (*bytes)(uint8_t *bytes, size_t size); /* what was read and has not been used; how much of it is used now */
    void (*room)(void); /* it was full, and is not any more */
};

enum { PORT_INPUT = 131072 }; /* so many bytes may be left unused */

/* The device at `path`, or the socket. False and errno. */
bool port_open(const char *path, const struct port_events *events);
/* A socket at whose other end nobody is comes to its end; a device waits for the next one. */
bool port_is_over(void);
/* Goes out in the order of the calls. What nobody is there to read is dropped. */
void port_send(const void *bytes, size_t size);
/* So much waits that who can wait should, until there is `room`. */
bool port_is_full(void);
/* The path of the device of this name, waiting nowhere: false if there is none. */
bool port_find(const char *name, char *path, size_t size);

#endif
