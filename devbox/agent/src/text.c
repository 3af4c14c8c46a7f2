#include "text.h"

#include <string.h>
#include <unistd.h>

char *text_number(char room[static 21], uint64_t value) {
    char *at = room + 20;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return at;
}

int text_join(char *room, size_t size, const char *const *parts) {
    size_t used = 0;
    for (; *parts != NULL; parts++) {
        size_t length = strlen(*parts);
        if (length >= size - used) {
            return 0;
        }
        memcpy(room + used, *parts, length);
        used += length;
    }
    room[used] = '\0';
    return 1;
}

void text_say(int fd, const char *const *parts) {
    char line[1024];
    if (text_join(line, sizeof line, parts)) {
        (void)!write(fd, line, strlen(line));
    }
}
