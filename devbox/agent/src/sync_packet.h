/* The sync protocol's frames: what requests are read from, and the answers and events on their way out. */
#ifndef SYNC_PACKET_H
#define SYNC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "blake2b.h"
#include "message.h"

enum {
    SYNC_VERSION = 1,
    SYNC_HEADER = 9,
    SYNC_DATA_MOST = 262144,
    SYNC_REQUEST_MOST = SYNC_DATA_MOST + 16384, /* of a payload */
    SYNC_WINDOW = 1048576, /* of requests that wait: the client has no more than this unanswered */
    SYNC_NAME_MOST = 255,
    SYNC_NONCE_MOST = 256,
    SYNC_STAMP = 36,
    SYNC_CONTENTS = 2, /* of a List: and tell the content of small files with what happens to them */
};

enum sync_verb {
    SYNC_STAT = 1,
    SYNC_LIST = 2,
    SYNC_HASH = 3,
    SYNC_READ = 4,
    SYNC_PUT = 5,
    SYNC_BEGIN = 6,
    SYNC_CHUNK = 7,
    SYNC_COPY = 8,
    SYNC_COMMIT = 9,
    SYNC_ABORT = 10,
    SYNC_MKDIR = 11,
    SYNC_LINK = 12,
    SYNC_REMOVE = 13,
    SYNC_RENAME = 14,
    SYNC_CHMOD = 15,
    SYNC_MARK = 16,
    SYNC_BARRIER = 17,
    SYNC_EVENTS = 64,
    SYNC_HELLO = 65,
    SYNC_FILE = 66,
    SYNC_ANSWER = 128, /* added to the request's */
};

enum sync_code { SYNC_DONE = 0, SYNC_CHANGED = 1, SYNC_FAILED = 2, SYNC_REFUSED = 3 };
enum sync_field { SYNC_HAS_STAMP = 1, SYNC_HAS_ROOM = 2, SYNC_HAS_MORE = 4 };

/* What tells of a change. */
struct stamp {
    uint32_t mode;
    uint64_t size;
    int64_t mtime; /* nanoseconds */
    int64_t ctime;
    uint64_t inode;
};

/* What a request expects to find. */
struct expected {
    bool there;
    struct stamp stamp;
};

/* `there` is always true of what is read by the second. */
struct expected read_expected(struct reader *reader);
struct expected read_present(struct reader *reader);

/* It is the same, to the last change. Of a directory only that it is that one: what is in it changes the rest. */
bool stamp_is(const struct stamp *stamp, const struct stat *found);
/* The same of what was looked at twice. */
bool stat_was(const struct stat *before, const struct stat *now);
/* The same, if it was renamed since, which is a change of its own. */
bool stamp_was(const struct stamp *stamp, const struct stat *found);
struct stamp stamp_of(const struct stat *found);
void write_stamp(struct writer *writer, const struct stat *found);

/* The request that answers are for, and what failures for want of room are told by. */
void answer_for(uint32_t id, uint8_t verb);
void answer_about(int root);

/* Whether one of the last answers said of this very file that it is so. */
bool is_known_to_client(const struct stat *found);

/* One frame at a time: begin, write into what is returned, end. */
struct writer *frame_begin(uint32_t id, uint8_t verb);
void frame_end(void);

/* Each is a whole answer; `there` may be NULL: nothing is. */
void say_done(const struct stat *there);
void say_changed(const struct stat *there);
void say_failed(int error);
void say_refused(void);
/* Begin an answer that goes on. */
struct writer *say_begin(bool more, const struct stat *there);

/* Send all that was said, and take in requests while nobody reads. */
void frames_flush(void);

#endif
