/* `agent stream`: stdin and stdout to and from an agent's socket. */
#ifndef STREAM_H
#define STREAM_H

/* Copy until one side ends; the exit code. */
int stream_copy(int socket);

#endif
