/* The agent of a full machine. Its clients come over the line, and what it starts may do what the machine's own root
   and users may. */
#ifndef MACHINE_H
#define MACHINE_H

#define MACHINE_AGENT "/run/devbox/agent" /* where `boot` leaves this program */
#define MACHINE_FACTS "/run/devbox/boot"  /* and what it was told */

/* Serve; as process 1 of the machine it does not return, and the machine goes off at the end. */
int machine(void);
/* Be who the facts say by now. What cannot be read leaves the machine who it was, which its host sees. */
void machine_take_up(void);
/* Ask process 1, be it this program or systemd, to switch the machine off: an exit status. */
int machine_off(void);
/* The line alone, from the port at `port` to an agent's socket: an exit status when the port has come to its end. */
int machine_line(const char *port, const char *socket);

#endif
