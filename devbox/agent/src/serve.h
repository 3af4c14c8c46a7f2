/* Serving clients, from the first to the end. */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>

struct serving {
    const char *socket;
    const char *identity;
    bool inside;          /* for peers from inside alone */
    void (*begin)(void);  /* what else is to be done by the loop; NULL: nothing */
};

/* The identity is one that can be told. */
bool serve_is_good(const struct serving *serving);
/* Be this one to whoever connects from here on, as after a start. */
void serve_as(const char *identity);
/* An exit status, when the end has come. */
int serve(const struct serving *serving);
/* Say what failed, and errno: 1. */
int serve_fail(const char *what);

#endif
