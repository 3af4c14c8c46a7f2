#include "sessions.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"

enum {
    ITEMS_MOST = 16,
    ITEM_MOST = 256,
    ANSWER_MOST = 500,
    WORDS_MOST = 4 + ITEMS_MOST * (4 + ITEM_MOST),
};

static struct session *sessions;

static void write_words(struct writer *writer, const struct list *argv) {
    uint32_t count = argv->count < ITEMS_MOST ? argv->count : ITEMS_MOST;
    char *item = argv->first;
    write_u32(writer, count);
    for (uint32_t index = 0; index < count; index++) {
        size_t size = strnlen(item, ITEM_MOST);
        write_u32(writer, (uint32_t)size);
        write_bytes(writer, item, size);
        item = list_next(item);
    }
}

struct session *session_new(const struct exec_message *message) {
    uint8_t words[WORDS_MOST];
    struct writer writer = {.at = words, .room = sizeof words};
    write_words(&writer, &message->argv);
    struct session *session = calloc(1, sizeof *session + writer.size);
    if (session != NULL) {
        struct timespec now;
        session->start = clock_gettime(CLOCK_REALTIME, &now) == 0 ? (uint64_t)now.tv_sec : 0;
        session->flags = (uint8_t)(message->flags & (EXEC_TERMINAL | EXEC_DETACH | EXEC_SYNC));
        session->words_size = writer.size;
        memcpy(session->words, words, writer.size);
    }
    return session;
}

void session_add(struct session *session, pid_t pid) {
    session->pid = pid;
    session->next = sessions;
    sessions = session;
}

struct session *session_find(pid_t pid) {
    struct session *session = sessions;
    while (session != NULL && session->pid != pid) {
        session = session->next;
    }
    return session;
}

void sessions_reaped(pid_t pid, int status) {
    struct session **place = &sessions;
    while (*place != NULL && (*place)->pid != pid) {
        place = &(*place)->next;
    }
    struct session *session = *place;
    if (session == NULL) {
        return; /* an orphan that fell to us */
    }
    *place = session->next;
    if (session->waiter != NULL) {
        session->waiter->ended(session->waiter, status);
    }
    free(session);
}

bool sessions_empty(void) {
    return sessions == NULL;
}

static void write_session(struct writer *writer, const struct session *session) {
    write_u32(writer, (uint32_t)session->pid);
    write_u32(writer, session->uid);
    write_u64(writer, session->start);
    write_u8(writer, session->flags);
    write_bytes(writer, session->words, session->words_size);
}

void sessions_answer(struct connection *connection, uint32_t channel, size_t payload_size) {
    static uint8_t bytes[WIRE_PAYLOAD_MAX];
    if (payload_size != 0) {
        connection_violation(connection, "bad SESSIONS");
        return;
    }
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    uint32_t count = 0;
    write_u32(&writer, 0);
    for (const struct session *session = sessions; session != NULL && count < ANSWER_MOST; session = session->next) {
        size_t before = writer.size;
        if (session->started && (session->flags & EXEC_SYNC) == 0) { /* that is no work of anybody's */
            write_session(&writer, session);
            if (writer.full) { /* a frame holds no more: the newest are told */
                writer.size = before;
                break;
            }
            count++;
        }
    }
    put_u32(bytes, count);
    connection_send(connection, channel, FRAME_SESSIONS, bytes, writer.size);
}

void session_signal(const struct session *session, int number) {
    if (kill(-session->pid, number) != 0 && errno == ESRCH) {
        kill(session->pid, number); /* it is ours and not reaped: the number names no other */
    }
}

void sessions_signal_groups(int number) {
    for (const struct session *session = sessions; session != NULL; session = session->next) {
        session_signal(session, number);
    }
}
