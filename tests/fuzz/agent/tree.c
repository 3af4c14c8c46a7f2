/* Requests to the sync program: four bytes of length, little-endian, and so many bytes from the id on. */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sync.h"
#include "sync_packet.h"
#include "target.h"

enum { FILE_MOST = 1 << 20, HANDLES = 256 };

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found;
    (void)kind;
    return place->level == 0 ? 0 : remove(path);
}

static void prepare(void) {
    static int done;
    if (!done) {
        struct rlimit most = {.rlim_cur = FILE_MOST, .rlim_max = FILE_MOST};
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &most) != 0 || !sync_begin(SYNC_ROOT)) {
            abort();
        }
        done = 1;
    }
    if (nftw(SYNC_ROOT, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        abort();
    }
}

static void handle(const uint8_t *bytes, size_t size) {
    uint8_t *request = malloc(size > 0 ? size : 1); /* of exactly its size, so that a read beyond it is seen */
    if (request == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(request, bytes, size);
    }
    sync_handle(request, size);
    free(request);
}

void tree_run(const uint8_t *bytes, size_t size) {
    prepare();
    while (size >= 4) {
        size_t length = get_u32(bytes);
        bytes += 4;
        size -= 4;
        length = length < size ? length : size;
        handle(bytes, length);
        bytes += length;
        size -= length;
    }
    for (int number = 0; number < HANDLES; number++) {
        uint8_t abort_it[] = {1, 0, 0, 0, SYNC_ABORT, (uint8_t)number, 0, 0, 0, 1};
        handle(abort_it, sizeof abort_it);
    }
    frames_flush();
}
