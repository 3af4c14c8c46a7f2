/* Small files that say how a machine is to be. */
#ifndef FACTS_H
#define FACTS_H

#include <stddef.h>

/* The file's content and a NUL behind it, for good; NULL and errno. */
char *facts_read(const char *path, size_t *size);

#endif
