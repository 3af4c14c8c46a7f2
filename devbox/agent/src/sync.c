#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sync_events.h"
#include "sync_input.h"
#include "sync_own.h"
#include "sync_packet.h"
#include "sync_paths.h"
#include "sync_verbs.h"

enum { REQUESTS_AT_ONCE = 64 }; /* before the queue of events is looked at again, which must not run over */

static void sync_barrier(struct reader *reader) {
    if (!read_all(reader)) {
        say_refused();
        return;
    }
    paths_require("");
    events_settle();
    say_done(NULL);
}

static void (*const verbs[])(struct reader *) = {
    [SYNC_STAT] = sync_stat,     [SYNC_LIST] = sync_list,     [SYNC_HASH] = sync_hash,       [SYNC_READ] = sync_read,
    [SYNC_PUT] = sync_put,       [SYNC_BEGIN] = sync_begin_file, [SYNC_CHUNK] = sync_chunk,  [SYNC_COPY] = sync_copy,
    [SYNC_COMMIT] = sync_commit, [SYNC_ABORT] = sync_abort,   [SYNC_MKDIR] = sync_mkdir,     [SYNC_LINK] = sync_link,
    [SYNC_REMOVE] = sync_remove, [SYNC_RENAME] = sync_rename, [SYNC_CHMOD] = sync_chmod,     [SYNC_MARK] = sync_mark,
    [SYNC_BARRIER] = sync_barrier,
};

void sync_handle(uint8_t *bytes, size_t size) {
    struct reader reader = {.at = bytes, .left = size};
    uint32_t id = read_u32(&reader);
    uint8_t verb = read_u8(&reader);
    answer_for(id, verb);
    if (!reader.bad && verb < sizeof verbs / sizeof verbs[0] && verbs[verb] != NULL) {
        verbs[verb](&reader);
    } else {
        say_refused();
    }
}

bool sync_begin(const char *path) {
    int root = paths_open_root(path);
    int error = root < 0 ? errno : 0;
    struct writer *writer = frame_begin(0, SYNC_HELLO);
    write_u16(writer, SYNC_VERSION);
    write_u16(writer, (uint16_t)error);
    if (root >= 0) {
        answer_about(root);
        own_identity(writer, root);
    }
    frame_end();
    return root >= 0;
}

static void handle_all(void) {
    size_t size;
    uint8_t *request;
    for (unsigned count = 1; (request = input_next(&size)) != NULL; count++) {
        sync_handle(request, size);
        if (count % REQUESTS_AT_ONCE == 0) {
            events_tell();
        }
    }
}

int sync_serve(const char *root, int queue, uint32_t *idle) {
    events_begin(queue, idle);
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
        if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
            return 1;
        }
    }
    umask(0); /* what is made has the mode that is meant */
    bool good = sync_begin(root);
    frames_flush();
    while (good) {
        input_wait(POLLIN);
        do {
            handle_all();
            events_tell();
            frames_flush();
        } while (input_is_there()); /* more came while the answers went out */
    }
    return 1;
}
