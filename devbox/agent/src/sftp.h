/* The file transfer protocol of OpenSSH, version 3. */
#ifndef SFTP_H
#define SFTP_H

/* Serve on stdin and stdout, blocking, with the rights and in the directory of this process; the exit code. */
int sftp_serve(void);

#endif
