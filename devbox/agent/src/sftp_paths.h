/* SFTP: what is done to names. */
#ifndef SFTP_PATHS_H
#define SFTP_PATHS_H

#include "sftp_packet.h"

/* Each answers its request. */
void sftp_stat(struct request *request);
void sftp_lstat(struct request *request);
void sftp_setstat(struct request *request);
void sftp_lsetstat(struct request *request);
void sftp_remove(struct request *request);
void sftp_mkdir(struct request *request);
void sftp_rmdir(struct request *request);
void sftp_realpath(struct request *request);
void sftp_expand_path(struct request *request);
void sftp_rename(struct request *request);
void sftp_posix_rename(struct request *request);
void sftp_readlink(struct request *request);
void sftp_symlink(struct request *request);
void sftp_hardlink(struct request *request);

#endif
