#include "sync_packet.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sync_input.h"

enum {
    ANSWER_HEAD = 4 + SYNC_STAMP + 8,
    FRAME_MOST = SYNC_HEADER + ANSWER_HEAD + SYNC_DATA_MOST,
    HELD_MOST = 65536, /* of frames that wait for the next to be sent with them */
    SECOND = 1000000000,
    SAID_MOST = 32,
};

static uint8_t held[HELD_MOST + FRAME_MOST];
static size_t used;
static struct writer frame;
static uint32_t request_id;
static uint8_t request_verb;
static int asked_about = -1;
static struct stamp said[SAID_MOST]; /* in the last answers */
static unsigned said_count;

struct expected read_present(struct reader *reader) {
    struct expected expected = {.there = true};
    expected.stamp.mode = read_u32(reader);
    expected.stamp.size = read_u64(reader);
    expected.stamp.mtime = (int64_t)read_u64(reader);
    expected.stamp.ctime = (int64_t)read_u64(reader);
    expected.stamp.inode = read_u64(reader);
    return expected;
}

struct expected read_expected(struct reader *reader) {
    return read_u8(reader) != 0 ? read_present(reader) : (struct expected){.there = false};
}

static int64_t nanoseconds(const struct timespec *time) {
    return (int64_t)((uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec);
}

bool stamp_was(const struct stamp *stamp, const struct stat *found) {
    if (stamp->inode != found->st_ino || (stamp->mode & S_IFMT) != (found->st_mode & S_IFMT)) {
        return false;
    }
    bool same = stamp->mode == found->st_mode && stamp->size == (uint64_t)found->st_size;
    return S_ISDIR(found->st_mode) || (same && stamp->mtime == nanoseconds(&found->st_mtim));
}

bool stat_was(const struct stat *before, const struct stat *now) {
    return before->st_ino == now->st_ino && before->st_mode == now->st_mode && before->st_size == now->st_size &&
           nanoseconds(&before->st_mtim) == nanoseconds(&now->st_mtim);
}

bool stamp_is(const struct stamp *stamp, const struct stat *found) {
    return stamp_was(stamp, found) && (S_ISDIR(found->st_mode) || stamp->ctime == nanoseconds(&found->st_ctim));
}

struct stamp stamp_of(const struct stat *found) {
    return (struct stamp){
        .mode = found->st_mode,
        .size = (uint64_t)found->st_size,
        .mtime = nanoseconds(&found->st_mtim),
        .ctime = nanoseconds(&found->st_ctim),
        .inode = found->st_ino,
    };
}

void write_stamp(struct writer *writer, const struct stat *found) {
    write_u32(writer, found->st_mode);
    write_u64(writer, (uint64_t)found->st_size);
    write_u64(writer, (uint64_t)nanoseconds(&found->st_mtim));
    write_u64(writer, (uint64_t)nanoseconds(&found->st_ctim));
    write_u64(writer, found->st_ino);
}

void answer_for(uint32_t id, uint8_t verb) {
    request_id = id;
    request_verb = verb;
}

void answer_about(int root) {
    asked_about = root;
}

struct writer *frame_begin(uint32_t id, uint8_t verb) {
    if (used > HELD_MOST) {
        frames_flush();
    }
    frame = (struct writer){.at = held + used, .room = sizeof held - used};
    write_u32(&frame, 0);
    write_u32(&frame, id);
    write_u8(&frame, verb);
    return &frame;
}

void frame_end(void) {
    if (frame.full) {
        _exit(1); /* whoever wrote it has not counted */
    }
    put_u32(held + used, (uint32_t)(frame.size - SYNC_HEADER));
    used += frame.size;
}

static struct writer *answer(enum sync_code code, int error, uint8_t fields, const struct stat *there) {
    struct writer *writer = frame_begin(request_id, request_verb | SYNC_ANSWER);
    write_u8(writer, (uint8_t)code);
    write_u8(writer, there != NULL ? fields | SYNC_HAS_STAMP : fields);
    write_u16(writer, (uint16_t)error);
    if (there != NULL) {
        write_stamp(writer, there);
        said[said_count++ % SAID_MOST] = stamp_of(there);
    }
    return writer;
}

bool is_known_to_client(const struct stat *found) {
    for (unsigned index = 0; index < SAID_MOST; index++) {
        if (said[index].inode == found->st_ino && stamp_is(&said[index], found)) {
            return true;
        }
    }
    return false;
}

struct writer *say_begin(bool more, const struct stat *there) {
    return answer(SYNC_DONE, 0, more ? SYNC_HAS_MORE : 0, there);
}

void say_done(const struct stat *there) {
    answer(SYNC_DONE, 0, 0, there);
    frame_end();
}

void say_changed(const struct stat *there) {
    answer(SYNC_CHANGED, 0, 0, there);
    frame_end();
}

void say_failed(int error) {
    struct statvfs found;
    bool full = (error == ENOSPC || error == EDQUOT) && fstatvfs(asked_about, &found) == 0;
    struct writer *writer = answer(SYNC_FAILED, error, full ? SYNC_HAS_ROOM : 0, NULL);
    if (full) {
        write_u64(writer, (uint64_t)found.f_bavail * found.f_frsize);
    }
    frame_end();
}

void say_refused(void) {
    answer(SYNC_REFUSED, 0, 0, NULL);
    frame_end();
}

void frames_flush(void) {
    size_t sent = 0;
    while (sent < used) {
        ssize_t done = write(STDOUT_FILENO, held + sent, used - sent);
        if (done >= 0) {
            sent += (size_t)done;
        } else if (errno == EAGAIN) {
            input_wait(POLLOUT);
        } else if (errno != EINTR) {
            _exit(0); /* the client has gone */
        }
    }
    used = 0;
}
