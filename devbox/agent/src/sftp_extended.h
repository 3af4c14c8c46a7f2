/* SFTP: the extensions of OpenSSH. */
#ifndef SFTP_EXTENDED_H
#define SFTP_EXTENDED_H

#include "sftp_packet.h"

/* Write the names and versions of all, as VERSION tells them. */
void sftp_tell_extensions(void);
/* Answers its request. */
void sftp_extended(struct request *request);

#endif
