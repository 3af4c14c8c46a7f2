/* Becoming a user for good. */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>

#include "userdb.h"

/* This is a machine of its own: root keeps all that it may do, and what a user executes may gain rights (sudo). */
extern bool credentials_of_machine;

/* This process becomes `user`. In a container neither it nor what it executes gets anything more again:
   no-new-privileges, and for any uid but 0 no capability in any set; for 0 what there was, but SETPCAP. False and errno
   if any part of that failed: the process must then end. An agent that is not root itself can only be its own user. */
bool credentials_become(const struct user *user);

#endif
