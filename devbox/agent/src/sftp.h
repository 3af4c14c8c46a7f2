/* The file transfer protocol of OpenSSH, version 3. */
#ifndef SFTP_H
#define SFTP_H

#include <stddef.h>
#include <stdint.h>

/* Serve on stdin and stdout, blocking, with the rights and in the directory of this process; the exit code. */
int sftp_serve(void);
/* Handle one packet, without its length; it is changed. False: it is too short to be answered. */
int sftp_handle(uint8_t *bytes, size_t size);

#endif
