/* SFTP: open files and directories. */
#ifndef SFTP_FILES_H
#define SFTP_FILES_H

#include <stdint.h>

#include "sftp_packet.h"

enum { SFTP_HANDLES = 256 };

/* Each answers its request. */
void sftp_open(struct request *request);
void sftp_close(struct request *request);
void sftp_read(struct request *request);
void sftp_write(struct request *request);
void sftp_fstat(struct request *request);
void sftp_fsetstat(struct request *request);
void sftp_opendir(struct request *request);
void sftp_readdir(struct request *request);
/* The descriptor of a handle in the request, or -1: EBADF. */
int sftp_descriptor(struct request *request);

#endif
