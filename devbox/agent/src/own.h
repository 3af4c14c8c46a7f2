/* `agent own`: directories that an engine has made as root, given to the user who works in them. */
#ifndef OWN_H
#define OWN_H

/* Each of `paths`, NULL-terminated, to `owner` ("uid:gid") if it is root's; the exit code. No link is followed. */
int own_directories(const char *owner, char *const *paths);

#endif
