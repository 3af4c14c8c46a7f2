/* SFTP packets: big-endian fields, read in place and written into one buffer. */
#ifndef SFTP_PACKET_H
#define SFTP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SFTP_PACKET_MOST = 262144, SFTP_DATA_MOST = 261120 };

enum sftp_type {
    SFTP_INIT = 1,
    SFTP_VERSION = 2,
    SFTP_OPEN = 3,
    SFTP_CLOSE = 4,
    SFTP_READ = 5,
    SFTP_WRITE = 6,
    SFTP_LSTAT = 7,
    SFTP_FSTAT = 8,
    SFTP_SETSTAT = 9,
    SFTP_FSETSTAT = 10,
    SFTP_OPENDIR = 11,
    SFTP_READDIR = 12,
    SFTP_REMOVE = 13,
    SFTP_MKDIR = 14,
    SFTP_RMDIR = 15,
    SFTP_REALPATH = 16,
    SFTP_STAT = 17,
    SFTP_RENAME = 18,
    SFTP_READLINK = 19,
    SFTP_SYMLINK = 20,
    SFTP_STATUS = 101,
    SFTP_HANDLE = 102,
    SFTP_DATA = 103,
    SFTP_NAME = 104,
    SFTP_ATTRS = 105,
    SFTP_EXTENDED = 200,
    SFTP_EXTENDED_REPLY = 201,
};

enum sftp_status {
    SFTP_OK = 0,
    SFTP_EOF = 1,
    SFTP_NO_SUCH_FILE = 2,
    SFTP_PERMISSION_DENIED = 3,
    SFTP_FAILURE = 4,
    SFTP_BAD_MESSAGE = 5,
    SFTP_UNSUPPORTED = 8,
};

/* One request; `bad` is set by the first field that is not there whole, and stays. */
struct request {
    uint8_t *at;
    size_t left;
    uint32_t id;
    bool bad;
};

uint8_t request_u8(struct request *request);
uint32_t request_u32(struct request *request);
uint64_t request_u64(struct request *request);
/* Any bytes; `*size` of them. */
uint8_t *request_bytes(struct request *request, uint32_t *size);
/* Text without a NUL, moved over its own length field and terminated; "" if bad. */
char *request_text(struct request *request);

/* The answer: one at a time, begun, filled and sent. Sending exits the process if nobody reads. */
void answer_begin(uint8_t type, uint32_t id);
void answer_u32(uint32_t value);
void answer_u64(uint64_t value);
void answer_bytes(const void *bytes, size_t size);
void answer_text(const char *text);
/* Room for `size` bytes of data that are written in place; NULL if there is none. */
uint8_t *answer_room(size_t size);
void answer_add(size_t size);
size_t answer_size(void);
/* Overwrite a u32 that was written at `place`, as answer_size() told before. */
void answer_patch(size_t place, uint32_t value);
void answer_send(void);

void answer_status(uint32_t id, enum sftp_status status, const char *text);
/* STATUS for the errno of a call that failed. */
void answer_errno(uint32_t id, int error);
/* STATUS OK if `result` is 0, else for errno. */
void answer_result(uint32_t id, int result);

#endif
