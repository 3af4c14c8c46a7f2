#include "settling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "channel.h"
#include "credentials.h"
#include "loop.h"
#include "machine.h"
#include "settle.h"
#include "text.h"
#include "wire.h"

enum { OTHERS = 022, WORDS = 256 };

struct settling {
    struct channel channel;
    struct buffer told;
};

/* Nothing of what it was told is left: programs that are started later begin with this memory. */
static void close_it(struct settling *settling) {
    if (settling->told.size > 0) {
        explicit_bzero(settling->told.bytes, settling->told.room);
    }
    buffer_free(&settling->told);
    channel_remove(&settling->channel);
    loop_free(settling);
}

static void say_exit(struct channel *channel, uint32_t code) {
    uint8_t bytes[8] = {0};
    put_u32(bytes, code);
    channel_send(channel, FRAME_EXIT, bytes, sizeof bytes);
}

static void say_failed(struct channel *channel, const char *what, int error) {
    char words[WORDS];
    const char *const parts[] = {"agent: ", what, ": ", strerror(error), "\n", NULL};
    if (text_join(words, sizeof words, parts) && strlen(words) <= channel->credit) {
        channel_send(channel, FRAME_STDERR, words, strlen(words));
    }
}

static const char *carry_out(const struct settling *settling) {
    mode_t before = umask(OTHERS);
    size_t size = settling->told.size;
    const char *failed = settle_carry_out(size == 0 ? "" : (const char *)buffer_head(&settling->told), size);
    int error = errno;
    umask(before);
    errno = error;
    return failed;
}

static void on_eof(struct channel *channel) {
    struct settling *settling = OWNER(channel, struct settling, channel);
    const char *failed = carry_out(settling);
    if (failed != NULL) {
        say_failed(channel, failed, errno);
    } else if (settle_is_somebody()) {
        machine_take_up();
    }
    say_exit(channel, failed == NULL ? 0 : 1);
    source_pass_on(&channel->connection->source);
    close_it(settling);
}

static void on_data(struct channel *channel, const uint8_t *bytes, size_t size) {
    struct settling *settling = OWNER(channel, struct settling, channel);
    if (settling->told.size + size > SETTLE_MOST || !buffer_add(&settling->told, bytes, size)) {
        say_failed(channel, "stdin", EFBIG);
        say_exit(channel, 1);
        close_it(settling);
        return;
    }
    channel_give_back(channel, size);
}

static void on_close(struct channel *channel) {
    say_exit(channel, 1);
    close_it(OWNER(channel, struct settling, channel));
}

/* All that it says has room or is not said. */
static void on_resume(struct channel *channel) {
    (void)channel;
}

static void on_vanish(struct channel *channel) {
    close_it(OWNER(channel, struct settling, channel));
}

static const struct channel_kind kind = {
    .data = on_data,
    .eof = on_eof,
    .resume = on_resume,
    .close = on_close,
    .vanish = on_vanish,
};

bool settling_is(const struct exec_message *message) {
    static const char *const words[] = {MACHINE_AGENT, SETTLE_VERB, SETTLE_HERE};
    const size_t count = sizeof words / sizeof words[0];
    char *item = message->argv.first;
    if (!credentials_of_machine || message->flags != EXEC_STDIN || message->argv.count != count ||
        strcmp(message->user, "0:0") != 0) {
        return false;
    }
    for (size_t index = 0; index < count; index++, item = list_next(item)) {
        if (strcmp(item, words[index]) != 0) {
            return false;
        }
    }
    return true;
}

void settling_open(struct connection *connection, uint32_t number, uint32_t window) {
    struct settling *settling = calloc(1, sizeof *settling);
    if (settling == NULL) {
        struct channel refused = {.connection = connection, .number = number};
        channel_fail(&refused, ENOMEM, STAGE_RESOURCES, "the process cannot be started");
        return;
    }
    channel_open(&settling->channel, &kind, connection);
    channel_add(&settling->channel, number, window);
    channel_started(&settling->channel, (uint32_t)getpid());
}
