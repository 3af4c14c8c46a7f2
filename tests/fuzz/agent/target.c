/* One input: its first byte names what reads the rest. C a connection, S sftp packets, Y sync requests, U users, T
   tables of sockets. */
#include "target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sftp.h"
#include "sftp_files.h"
#include "sftp_packet.h"
#include "sockets.h"
#include "userdb.h"

/* In memory of exactly its size, so that a read beyond it is seen. */
static uint8_t *copy(const uint8_t *bytes, size_t size) {
    uint8_t *made = malloc(size > 0 ? size : 1);
    if (made == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(made, bytes, size);
    }
    return made;
}

static void close_handle(uint32_t number) {
    uint8_t packet[] = {SFTP_CLOSE, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, (uint8_t)(number >> 8), (uint8_t)number};
    sftp_handle(packet, sizeof packet);
}

/* Packets as they come in: four bytes of length, big-endian, and so many bytes. */
static void run_sftp(const uint8_t *bytes, size_t size) {
    while (size >= 4) {
        size_t length = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
        bytes += 4;
        size -= 4;
        length = length < size ? length : size;
        /* A text is moved over its length field: there is always one before it. */
        uint8_t *packet = copy(bytes, length);
        sftp_handle(packet, length);
        free(packet);
        bytes += length;
        size -= length;
    }
    for (uint32_t number = 0; number < SFTP_HANDLES; number++) {
        close_handle(number);
    }
}

/* The user's text, then /etc/passwd and /etc/group, with a NUL between them. */
static void run_users(const uint8_t *bytes, size_t size) {
    static struct user user;
    const uint8_t *end = memchr(bytes, '\0', size);
    if (end == NULL) {
        return;
    }
    const uint8_t *passwd = end + 1;
    size_t left = size - (size_t)(passwd - bytes);
    end = left > 0 ? memchr(passwd, '\0', left) : NULL;
    size_t passwd_size = end != NULL ? (size_t)(end - passwd) : left;
    tame_set(TAME_PASSWD, passwd, passwd_size);
    tame_set(TAME_GROUP, end != NULL ? end + 1 : NULL, end != NULL ? left - passwd_size - 1 : 0);
    char *text = (char *)copy(bytes, (size_t)(passwd - bytes));
    if (user_find(text, &user) && (user.group_count > USER_GROUPS_MOST || memchr(user.home, 0, sizeof user.home) == NULL)) {
        abort();
    }
    free(text);
}

static void run_tables(const uint8_t *bytes, size_t size) {
    tame_set(TAME_OTHER, bytes, size);
    (void)sockets_bound_udp(4, 53);
    (void)sockets_bound_udp(6, 53);
}

static void quiet(void) {
    static int done;
    int null = done ? -1 : open("/dev/null", O_WRONLY);
    if (null >= 0 && dup2(null, STDOUT_FILENO) < 0) {
        abort();
    }
    if (null > STDERR_FILENO) {
        close(null);
    }
    done = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    quiet();
    for (int file = 0; file < TAME_FILES; file++) {
        tame_set((enum tame_file)file, NULL, 0);
    }
    switch (size > 0 ? data[0] : 0) {
    case 'C':
        client_run(data + 1, size - 1);
        break;
    case 'S':
        run_sftp(data + 1, size - 1);
        break;
    case 'Y':
        tree_run(data + 1, size - 1);
        break;
    case 'U':
        run_users(data + 1, size - 1);
        break;
    case 'T':
        run_tables(data + 1, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
