#include "sftp_extended.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sftp_files.h"
#include "sftp_paths.h"

enum { READ_ONLY = 1, NO_SETUID = 2 };

static void limits(struct request *request) {
    answer_begin(SFTP_EXTENDED_REPLY, request->id);
    answer_u64(SFTP_PACKET_MOST);
    answer_u64(SFTP_DATA_MOST);
    answer_u64(SFTP_DATA_MOST);
    answer_u64(SFTP_HANDLES);
    answer_send();
}

static void sync_file(struct request *request) {
    int fd = sftp_descriptor(request);
    if (fd < 0) {
        answer_errno(request->id, EBADF);
    } else {
        answer_result(request->id, fsync(fd));
    }
}

static void answer_statvfs(uint32_t id, const struct statvfs *found) {
    uint64_t flags = (found->f_flag & ST_RDONLY) != 0 ? READ_ONLY : 0;
    flags |= (found->f_flag & ST_NOSUID) != 0 ? NO_SETUID : 0;
    answer_begin(SFTP_EXTENDED_REPLY, id);
    answer_u64(found->f_bsize);
    answer_u64(found->f_frsize);
    answer_u64(found->f_blocks);
    answer_u64(found->f_bfree);
    answer_u64(found->f_bavail);
    answer_u64(found->f_files);
    answer_u64(found->f_ffree);
    answer_u64(found->f_favail);
    answer_u64(found->f_fsid);
    answer_u64(flags);
    answer_u64(found->f_namemax);
    answer_send();
}

static void statvfs_path(struct request *request) {
    const char *path = request_text(request);
    struct statvfs found;
    if (request->bad || statvfs(path, &found) != 0) {
        answer_errno(request->id, request->bad ? EINVAL : errno);
    } else {
        answer_statvfs(request->id, &found);
    }
}

static void statvfs_handle(struct request *request) {
    int fd = sftp_descriptor(request);
    struct statvfs found;
    if (fd < 0 || fstatvfs(fd, &found) != 0) {
        answer_errno(request->id, errno);
    } else {
        answer_statvfs(request->id, &found);
    }
}

static const struct {
    const char *name;
    const char *version;
    void (*answer)(struct request *request);
} extensions[] = {
    {"posix-rename@openssh.com", "1", sftp_posix_rename},
    {"statvfs@openssh.com", "2", statvfs_path},
    {"fstatvfs@openssh.com", "2", statvfs_handle},
    {"hardlink@openssh.com", "1", sftp_hardlink},
    {"fsync@openssh.com", "1", sync_file},
    {"lsetstat@openssh.com", "1", sftp_lsetstat},
    {"limits@openssh.com", "1", limits},
    {"expand-path@openssh.com", "1", sftp_expand_path},
};

enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };

void sftp_tell_extensions(void) {
    for (size_t index = 0; index < EXTENSIONS; index++) {
        answer_text(extensions[index].name);
        answer_text(extensions[index].version);
    }
}

void sftp_extended(struct request *request) {
    const char *name = request_text(request);
    for (size_t index = 0; index < EXTENSIONS && !request->bad; index++) {
        if (strcmp(extensions[index].name, name) == 0) {
            extensions[index].answer(request);
            return;
        }
    }
    answer_status(request->id, SFTP_UNSUPPORTED, "unknown extension");
}
