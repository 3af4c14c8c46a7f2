/* What a file system with names of more than 255 bytes tells, given to the parts of the agent's sync program that take
   it in: `long-names SIZE` plays an event and an entry of a name of so many bytes, and one of each that is short, and
   says for each name that would go to the client how long it is. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct dirent *played_readdir(DIR *directory);
static int played_fstatat(int directory, const char *name, struct stat *found, int flags);

#define readdir played_readdir
#define fstatat played_fstatat
#include "sync_look.c"
#undef readdir
#undef fstatat
#include "sync_events.c"

static size_t size;
static uint8_t bytes[65536];
static struct writer writer = {.at = bytes, .room = sizeof bytes};

struct writer *frame_begin(uint32_t id, uint8_t verb) {
    (void)id, (void)verb;
    writer.size = 0;
    return &writer;
}

void frame_end(void) {
    for (size_t at = 4; at < writer.size;) { /* after each number of a watch */
        printf("event %u\n", bytes[at]);
        at += 1 + (size_t)bytes[at] + 4;
    }
}

static struct dirent *played_readdir(DIR *directory) {
    static _Alignas(struct dirent) char entry[sizeof(struct dirent) + 4096];
    static int count;
    (void)directory;
    char *name = ((struct dirent *)(void *)entry)->d_name;
    size_t length = count == 0 ? size : 1;
    memset(name, 'e', length);
    name[length] = '\0';
    return count++ < 2 ? (struct dirent *)(void *)entry : NULL;
}

static int played_fstatat(int directory, const char *name, struct stat *found, int flags) {
    (void)directory, (void)flags;
    *found = (struct stat){.st_mode = S_IFREG};
    printf("entry %zu\n", strlen(name));
    return 0;
}

static void tell(int queue_end, uint32_t mask, size_t length) {
    struct inotify_event event = {.wd = 1, .mask = mask, .len = (uint32_t)length + 1};
    char name[4097] = "";
    memset(name, 'n', length);
    if (write(queue_end, &event, sizeof event) < 0 || write(queue_end, name, length + 1) < 0) {
        exit(1);
    }
}

int main(int argc, char **argv) {
    int ends[2];
    size = argc == 2 ? (size_t)atoi(argv[1]) : 0;
    if (size == 0 || size > 4096 || pipe(ends) != 0) {
        return 2;
    }
    queue = ends[0];
    tell(ends[1], IN_CREATE, size); /* is held for a while */
    tell(ends[1], IN_DELETE, 1);
    events_settle();
    write_entries(opendir("/"), frame_begin(0, 0));
    return 0;
}

/* What these two parts need of others, and do not come to here. */
bool own_is_temporary(const char *name) { return name[0] == '.'; }
bool watched_say(int number, const char *name) { return number < 0 && name[0] == '\0'; }
void watched_drop(int number) { (void)number; }
void watched_keep(int number, int directory, const char *path) { (void)number, (void)directory, (void)path; }
void write_stamp(struct writer *to, const struct stat *found) { (void)to, (void)found; }
struct writer *say_begin(bool more, const struct stat *there) { return more || there ? NULL : NULL; }
void say_done(const struct stat *there) { (void)there; }
void say_failed(int error) { (void)error; }
void say_refused(void) {}
bool path_is_good(const char *path) { return path[0] != '\0'; }
bool path_is_gone(int error) { return error != 0; }
void paths_require(const char *path) { (void)path; }
int path_open(const char *path, int flags) { return path[0] == '\0' ? flags : -1; }
struct place path_place(const char *path) { return (struct place){.parent = -1, .name = path}; }
