#include "sftp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sftp_extended.h"
#include "sftp_files.h"
#include "sftp_packet.h"
#include "sftp_paths.h"

enum { LENGTH = 4, OUR_VERSION = 3 };

static void answer_version(void) {
    answer_begin(SFTP_VERSION, OUR_VERSION); /* the version is where others have their id */
    sftp_tell_extensions();
    answer_send();
}

static void (*const verbs[])(struct request *) = {
    [SFTP_OPEN] = sftp_open,
    [SFTP_CLOSE] = sftp_close,
    [SFTP_READ] = sftp_read,
    [SFTP_WRITE] = sftp_write,
    [SFTP_LSTAT] = sftp_lstat,
    [SFTP_FSTAT] = sftp_fstat,
    [SFTP_SETSTAT] = sftp_setstat,
    [SFTP_FSETSTAT] = sftp_fsetstat,
    [SFTP_OPENDIR] = sftp_opendir,
    [SFTP_READDIR] = sftp_readdir,
    [SFTP_REMOVE] = sftp_remove,
    [SFTP_MKDIR] = sftp_mkdir,
    [SFTP_RMDIR] = sftp_rmdir,
    [SFTP_REALPATH] = sftp_realpath,
    [SFTP_STAT] = sftp_stat,
    [SFTP_RENAME] = sftp_rename,
    [SFTP_READLINK] = sftp_readlink,
    [SFTP_SYMLINK] = sftp_symlink,
    [SFTP_EXTENDED] = sftp_extended,
};

int sftp_handle(uint8_t *bytes, size_t size) {
    struct request request = {.at = bytes, .left = size};
    uint8_t type = request_u8(&request);
    request.id = request_u32(&request);
    if (request.bad) {
        return 0;
    }
    if (type == SFTP_INIT) {
        answer_version();
    } else if (type < sizeof verbs / sizeof verbs[0] && verbs[type] != NULL) {
        verbs[type](&request);
    } else {
        answer_status(request.id, SFTP_UNSUPPORTED, "unknown request");
    }
    return 1;
}

/* Handle the whole packets; how many bytes they were, or -1: the client does not speak this protocol. */
static ssize_t handle_all(uint8_t *bytes, size_t size) {
    size_t done = 0;
    while (size - done >= LENGTH) {
        const uint8_t *at = bytes + done;
        uint32_t length = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        if (length > SFTP_PACKET_MOST) {
            return -1;
        }
        if (size - done - LENGTH < length) {
            break;
        }
        if (!sftp_handle(bytes + done + LENGTH, length)) {
            return -1;
        }
        done += LENGTH + length;
    }
    return (ssize_t)done;
}

int sftp_serve(void) {
    static uint8_t bytes[LENGTH + SFTP_PACKET_MOST];
    size_t held = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, bytes + held, sizeof bytes - held);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 || held > 0;
        }
        held += (size_t)got;
        ssize_t done = handle_all(bytes, held);
        if (done < 0) {
            return 1;
        }
        held -= (size_t)done;
        memmove(bytes, bytes + done, held);
    }
}
