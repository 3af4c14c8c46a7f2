/* `agent settle`: a machine is told what it cannot know by itself, and has put in place what is its own. */
#ifndef SETTLE_H
#define SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#define SETTLE_VERB "settle"
#define SETTLE_HERE "here" /* see settling.h */

enum { SETTLE_MOST = 64 << 20 }; /* bytes of facts */

/* stdin has any number of facts, each its kind, the decimal size of its value, both with a NUL behind them, and the
 * value. All of them are looked at first: one that is none, and nothing is done. Then they are carried out in order:
 *
 * time      nanoseconds since 1970, decimal: the clock's
 * seed      64 bytes that are mixed into the kernel's random numbers
 * mac       two hardware addresses: of an interface, and the one that it is to have
 * wire      the same of the wire to other machines, and the address that the machine is to have there
 * machine-id  the machine's, for whoever asks from now on; the journal of before is its own
 * hosts, hostname.line, environment: what the files of that name hold from now on
 * hostname  the machine's, for the kernel as well
 * identity  by which the agent knows itself from now on, if it carries this out itself (see settling.h)
 * grow      the place of a file system that is to fill its disk
 * data      the serial number of the disk with the volumes, whose file system grows as well
 * renamed   the name that a volume has had, and the one that it has now, a NUL between them; it stays where it is
 * left      a place at which a volume is mounted, and is to be no more
 * volume    name, place, and "filled" (a new one begins with what the image has there) or "bare", a NUL between them
 * file      path and content, a NUL between them
 *
 * What is in place stays, so it may be done again after whatever ended it. The exit code. */
int settle(void);
/* The same of facts that are here: NULL, or the kind of what could not be carried out ("stdin": some are none), and errno. */
const char *settle_carry_out(const char *facts, size_t size);
/* The machine has a new identity since, of which the agent is to be told. */
bool settle_is_somebody(void);

#endif
