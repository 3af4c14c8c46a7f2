#include "sftp_packet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 4 };

static const uint8_t *take(struct request *request, size_t size) {
    if (request->bad || request->left < size) {
        request->bad = true;
        return NULL;
    }
    const uint8_t *taken = request->at;
    request->at += size;
    request->left -= size;
    return taken;
}

static uint64_t number(const uint8_t *at, size_t size) {
    uint64_t value = 0;
    for (size_t index = 0; index < size && at != NULL; index++) {
        value = value << 8 | at[index];
    }
    return value;
}

uint8_t request_u8(struct request *request) {
    return (uint8_t)number(take(request, 1), 1);
}

uint32_t request_u32(struct request *request) {
    return (uint32_t)number(take(request, 4), 4);
}

uint64_t request_u64(struct request *request) {
    return number(take(request, 8), 8);
}

uint8_t *request_bytes(struct request *request, uint32_t *size) {
    *size = request_u32(request);
    uint8_t *bytes = request->at;
    if (take(request, *size) == NULL) {
        *size = 0;
    }
    return bytes;
}

char *request_text(struct request *request) {
    static char empty[1];
    uint32_t size;
    uint8_t *bytes = request_bytes(request, &size);
    empty[0] = '\0';
    if (request->bad || memchr(bytes, '\0', size) != NULL) {
        request->bad = true;
        return empty;
    }
    char *text = (char *)bytes - LENGTH;
    memmove(text, bytes, size);
    text[size] = '\0';
    return text;
}

/* The length goes in front when it is known. What does not fit is a bug of the caller's, and ends the process. */
static uint8_t answer[LENGTH + SFTP_PACKET_MOST];
static size_t used;

static void put(uint8_t *at, uint64_t value, size_t size) {
    for (size_t index = 0; index < size; index++) {
        at[index] = (uint8_t)(value >> (8 * (size - 1 - index)));
    }
}

uint8_t *answer_room(size_t size) {
    return sizeof answer - used >= size ? answer + used : NULL;
}

void answer_add(size_t size) {
    used += size;
}

size_t answer_size(void) {
    return used;
}

static uint8_t *claim(size_t size) {
    uint8_t *room = answer_room(size);
    if (room == NULL) {
        _exit(1);
    }
    used += size;
    return room;
}

void answer_u32(uint32_t value) {
    put(claim(4), value, 4);
}

void answer_u64(uint64_t value) {
    put(claim(8), value, 8);
}

void answer_bytes(const void *bytes, size_t size) {
    answer_u32((uint32_t)size);
    if (size > 0) {
        memcpy(claim(size), bytes, size);
    }
}

void answer_text(const char *text) {
    answer_bytes(text, strlen(text));
}

void answer_patch(size_t place, uint32_t value) {
    put(answer + place, value, 4);
}

void answer_begin(uint8_t type, uint32_t id) {
    used = LENGTH;
    *claim(1) = type;
    answer_u32(id);
}

void answer_send(void) {
    put(answer, used - LENGTH, LENGTH);
    size_t sent = 0;
    while (sent < used) {
        ssize_t done = write(STDOUT_FILENO, answer + sent, used - sent);
        if (done >= 0) {
            sent += (size_t)done;
        } else if (errno != EINTR) {
            _exit(0); /* the client has gone */
        }
    }
}

void answer_status(uint32_t id, enum sftp_status status, const char *text) {
    answer_begin(SFTP_STATUS, id);
    answer_u32((uint32_t)status);
    answer_text(text);
    answer_text(""); /* language */
    answer_send();
}

static enum sftp_status status_of(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EBADF:
    case ELOOP:
        return SFTP_NO_SUCH_FILE;
    case EPERM:
    case EACCES:
    case EROFS:
        return SFTP_PERMISSION_DENIED;
    case ENAMETOOLONG:
    case EINVAL:
        return SFTP_BAD_MESSAGE;
    case ENOSYS:
    case EOPNOTSUPP:
        return SFTP_UNSUPPORTED;
    default:
        return SFTP_FAILURE;
    }
}

void answer_errno(uint32_t id, int error) {
    answer_status(id, status_of(error), strerror(error));
}

void answer_result(uint32_t id, int result) {
    if (result == 0) {
        answer_status(id, SFTP_OK, "done");
    } else {
        answer_errno(id, errno);
    }
}
