/* Included before every source that names files: what it opens is the input, and nothing on this machine is changed. */
#ifndef TAME_H
#define TAME_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

int tame_open(const char *path, int flags, ...);
DIR *tame_opendir(const char *path);
int tame_one(const char *path);
int tame_two(const char *first, const char *second);
char *tame_realpath(const char *path, char *room);
ssize_t tame_readlink(const char *path, char *room, size_t size);
int tame_descriptor(int fd);
long tame_syscall(long number, ...);

#define open tame_open
#define opendir(path) tame_opendir(path)
#define unlink tame_one
#define rmdir tame_one
#define mkdir(path, mode) tame_one(((void)(mode), path))
#define truncate(path, size) tame_one(((void)(size), path))
#define fchmodat(at, path, mode, flags) tame_one(((void)(mode), (void)(flags), path))
#define fchownat(at, path, uid, gid, flags) tame_one(((void)(uid), (void)(gid), (void)(flags), path))
#define utimensat(at, path, times, flags) tame_one(((void)(times), (void)(flags), path))
/* A directory that is listed is a real one, and root may do all this to it. */
#define fchmod(fd, mode) tame_descriptor(((void)(mode), fd))
#define fchown(fd, uid, gid) tame_descriptor(((void)(uid), (void)(gid), fd))
#define futimens(fd, times) tame_descriptor(((void)(times), fd))
#define rename tame_two
#define symlink tame_two
#define link tame_two
#define realpath(path, room) tame_realpath(path, room)
#define readlink(path, room, size) tame_readlink(path, room, size)
#define syscall tame_syscall

#endif
