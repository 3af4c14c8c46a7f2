/* A text file by lines, in bounded memory. */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINES_ROOM = 65536, LINES_MOST = 16777216 };

struct lines {
    int fd;
    size_t start;
    size_t end;
    size_t total; /* bytes that were read */
    bool skipping;
    char bytes[LINES_ROOM];
};

/* False and errno if the file cannot be opened. */
bool lines_open(struct lines *lines, const char *path);
/* The next line without its end, to be changed at will until the next call; NULL at the end, at an error, and after
   LINES_MOST bytes: the file may be a device that never ends. A last line without an end counts; a line that is too
   long is left out. */
char *lines_next(struct lines *lines);
void lines_close(struct lines *lines);

#endif
