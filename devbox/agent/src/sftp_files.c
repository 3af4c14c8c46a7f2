#include "sftp_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sftp_attr.h"

enum {
    OPEN_READ = 1,
    OPEN_WRITE = 2,
    OPEN_APPEND = 4,
    OPEN_CREATE = 8,
    OPEN_TRUNCATE = 16,
    OPEN_EXCLUSIVE = 32,
    DEFAULT_MODE = 0666,
    ENTRIES_MOST = 128, /* per answer; each takes at most 255 + 512 + 40 bytes, so that all fit */
};

struct handle {
    bool used;
    int fd;
    DIR *directory; /* NULL: a file */
};

static struct handle handles[SFTP_HANDLES];

static void answer_handle(uint32_t id, uint32_t number) {
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    answer_begin(SFTP_HANDLE, id);
    answer_bytes(bytes, sizeof bytes);
    answer_send();
}

/* NULL and EMFILE if all are in use. */
static struct handle *free_handle(uint32_t *number) {
    for (*number = 0; *number < SFTP_HANDLES; *number += 1) {
        if (!handles[*number].used) {
            return &handles[*number];
        }
    }
    errno = EMFILE;
    return NULL;
}

/* NULL and EBADF if it is none. */
static struct handle *find_handle(struct request *request) {
    uint32_t size;
    const uint8_t *bytes = request_bytes(request, &size);
    errno = EBADF;
    if (request->bad || size != 4) {
        return NULL;
    }
    uint32_t number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return number < SFTP_HANDLES && handles[number].used ? &handles[number] : NULL;
}

int sftp_descriptor(struct request *request) {
    struct handle *handle = find_handle(request);
    return handle == NULL ? -1 : handle->fd;
}

static int open_flags(uint32_t wanted) {
    int flags = O_CLOEXEC | O_NOCTTY;
    bool writes = (wanted & (OPEN_WRITE | OPEN_APPEND)) != 0;
    if (writes) {
        flags |= (wanted & OPEN_READ) != 0 ? O_RDWR : O_WRONLY;
    }
    flags |= (wanted & OPEN_APPEND) != 0 ? O_APPEND : 0;
    flags |= (wanted & OPEN_CREATE) != 0 ? O_CREAT : 0;
    flags |= (wanted & OPEN_TRUNCATE) != 0 ? O_TRUNC : 0;
    flags |= (wanted & OPEN_EXCLUSIVE) != 0 ? O_EXCL : 0;
    return flags;
}

void sftp_open(struct request *request) {
    const char *path = request_text(request);
    uint32_t wanted = request_u32(request);
    struct attributes attributes = request_attributes(request);
    uint32_t number;
    if (request->bad) {
        answer_errno(request->id, EINVAL);
        return;
    }
    struct handle *handle = free_handle(&number);
    mode_t mode = (attributes.flags & SFTP_HAS_MODE) != 0 ? attributes.mode & 07777 : DEFAULT_MODE;
    int fd = handle != NULL ? open(path, open_flags(wanted), mode) : -1;
    if (fd < 0) {
        answer_errno(request->id, errno);
        return;
    }
    *handle = (struct handle){.used = true, .fd = fd};
    answer_handle(request->id, number);
}

void sftp_opendir(struct request *request) {
    const char *path = request_text(request);
    uint32_t number;
    if (request->bad) {
        answer_errno(request->id, EINVAL);
        return;
    }
    struct handle *handle = free_handle(&number);
    DIR *directory = handle != NULL ? opendir(path) : NULL;
    if (directory == NULL) {
        answer_errno(request->id, errno);
        return;
    }
    *handle = (struct handle){.used = true, .fd = dirfd(directory), .directory = directory};
    answer_handle(request->id, number);
}

void sftp_close(struct request *request) {
    struct handle *handle = find_handle(request);
    if (handle == NULL) {
        answer_errno(request->id, EBADF);
        return;
    }
    handle->used = false;
    answer_result(request->id, handle->directory != NULL ? closedir(handle->directory) : close(handle->fd));
}

void sftp_read(struct request *request) {
    int fd = sftp_descriptor(request);
    uint64_t offset = request_u64(request);
    uint32_t size = request_u32(request);
    if (request->bad || fd < 0 || offset > INT64_MAX) {
        answer_errno(request->id, request->bad || fd >= 0 ? EINVAL : EBADF);
        return;
    }
    answer_begin(SFTP_DATA, request->id);
    size_t place = answer_size();
    answer_u32(0);
    size_t most = size < SFTP_DATA_MOST ? size : SFTP_DATA_MOST;
    ssize_t got;
    do {
        got = pread(fd, answer_room(most), most, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        answer_errno(request->id, errno);
    } else if (got == 0 && most > 0) {
        answer_status(request->id, SFTP_EOF, "end of file");
    } else {
        answer_patch(place, (uint32_t)got);
        answer_add((size_t)got);
        answer_send();
    }
}

static int write_all(int fd, const uint8_t *bytes, size_t size, off_t offset) {
    while (size > 0) {
        ssize_t put = pwrite(fd, bytes, size, offset);
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
            offset += put;
        } else if (put == 0 || errno != EINTR) {
            errno = put == 0 ? EIO : errno;
            return -1;
        }
    }
    return 0;
}

void sftp_write(struct request *request) {
    int fd = sftp_descriptor(request);
    uint64_t offset = request_u64(request);
    uint32_t size;
    const uint8_t *bytes = request_bytes(request, &size);
    if (request->bad || fd < 0 || offset > INT64_MAX - SFTP_PACKET_MOST) {
        answer_errno(request->id, request->bad || fd >= 0 ? EINVAL : EBADF);
        return;
    }
    answer_result(request->id, write_all(fd, bytes, size, (off_t)offset));
}

void sftp_fstat(struct request *request) {
    struct stat found;
    int fd = sftp_descriptor(request);
    if (fd < 0 || fstat(fd, &found) != 0) {
        answer_errno(request->id, errno);
        return;
    }
    answer_begin(SFTP_ATTRS, request->id);
    answer_attributes(&found);
    answer_send();
}

void sftp_fsetstat(struct request *request) {
    int fd = sftp_descriptor(request);
    struct attributes attributes = request_attributes(request);
    if (fd < 0 || request->bad) {
        answer_errno(request->id, fd < 0 ? EBADF : EINVAL);
        return;
    }
    answer_result(request->id, attributes_apply(&attributes, fd, "", 1));
}

/* The next entries of the directory; how many. */
static uint32_t answer_entries(DIR *directory) {
    uint32_t count = 0;
    struct dirent *entry;
    while (count < ENTRIES_MOST && (entry = readdir(directory)) != NULL) {
        struct stat found;
        if (fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0) {
            answer_text(entry->d_name);
            answer_long_name(&found, entry->d_name);
            answer_attributes(&found);
            count++;
        } /* else it was removed a moment before */
    }
    return count;
}

void sftp_readdir(struct request *request) {
    struct handle *handle = find_handle(request);
    if (handle == NULL || handle->directory == NULL) {
        answer_errno(request->id, EBADF);
        return;
    }
    answer_begin(SFTP_NAME, request->id);
    size_t place = answer_size();
    answer_u32(0);
    uint32_t count = answer_entries(handle->directory);
    if (count == 0) {
        answer_status(request->id, SFTP_EOF, "end of the directory");
        return;
    }
    answer_patch(place, count);
    answer_send();
}
