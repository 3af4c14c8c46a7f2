#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "channel.h"
#include "message.h"
#include "relay.h"
#include "socketfile.h"
#include "sockets.h"

enum { LISTENERS_MOST = 64, BACKLOG = 128, RETRY_TIME = 100 };

struct listener {
    struct channel channel;
    struct source source;
    struct timer timer;
    uint32_t window;
    struct socketfile *file; /* NULL: TCP */
};

static void destroy(struct listener *listener) {
    timer_stop(&listener->timer);
    source_close(&listener->source);
    if (listener->file != NULL) {
        socketfile_remove(listener->file);
        free(listener->file);
    }
    channels_of(listener->channel.connection)->listeners--;
    channel_remove(&listener->channel);
    loop_free(listener);
}

static uint32_t next_channel(struct connection *connection) {
    uint32_t number;
    do {
        number = WIRE_FIRST_ACCEPTED | channels_of(connection)->next_accepted++;
    } while (channel_find(connection, number) != NULL);
    return number;
}

static void announce(struct listener *listener, int fd, const struct address *peer) {
    struct connection *connection = listener->channel.connection;
    uint32_t number = next_channel(connection);
    uint8_t bytes[128];
    char text[64];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    uint16_t port = address_tell(peer, text);
    write_u32(&writer, listener->channel.number);
    write_u16(&writer, port);
    write_str(&writer, text);
    if (listener->file == NULL) {
        sockets_be_prompt(fd);
    }
    if (relay_adopt(connection, number, listener->window, fd)) {
        connection_send(connection, number, FRAME_ACCEPTED, bytes, writer.size);
    }
}

static void try_again(struct timer *timer) {
    source_want(&OWNER(timer, struct listener, timer)->source, EPOLLIN);
}

static void ready(struct source *source, uint32_t events) {
    (void)events;
    struct listener *listener = OWNER(source, struct listener, source);
    if (connection_is_full(listener->channel.connection)) {
        channel_wait(&listener->channel);
        source_want(source, 0);
        return;
    }
    struct address peer = {.size = sizeof peer.storage};
    int fd = accept4(source->fd, (struct sockaddr *)&peer.storage, &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        announce(listener, fd, &peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        source_want(source, 0);
        timer_start(&listener->timer, RETRY_TIME, try_again);
    }
}

static void on_resume(struct channel *channel) {
    source_want(&OWNER(channel, struct listener, channel)->source, EPOLLIN);
}

static void on_close(struct channel *channel) {
    uint8_t bytes[4] = {0};
    channel_send(channel, FRAME_CLOSED, bytes, sizeof bytes);
    destroy(OWNER(channel, struct listener, channel));
}

static void on_vanish(struct channel *channel) {
    destroy(OWNER(channel, struct listener, channel));
}

static const struct channel_kind kind = {.resume = on_resume, .close = on_close, .vanish = on_vanish};

static uint16_t port_of(int fd) {
    struct address own = {.size = sizeof own.storage};
    char text[64];
    return getsockname(fd, (struct sockaddr *)&own.storage, &own.size) == 0 ? address_tell(&own, text) : 0;
}

static bool bind_tcp(int fd, const struct address *address) {
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return false;
    }
    if (address_family(address) == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
        return false;
    }
    return bind(fd, address_of(address), address->size) == 0;
}

/* A bound, listening socket, or -1 and errno. `file` is NULL for TCP. */
static int open_socket(const struct address *address, struct socketfile *file) {
    int fd = socket(address_family(address), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    bool bound = file != NULL ? socketfile_make(file, fd) : bind_tcp(fd, address);
    if (bound && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    int error = errno;
    if (bound && file != NULL) {
        socketfile_remove(file);
    }
    close(fd);
    errno = error;
    return -1;
}

static void refuse(const struct channel *channel, int error, uint8_t stage, const char *what) {
    struct channel refused = {.connection = channel->connection, .number = channel->number};
    channel_fail(&refused, (uint32_t)error, stage, what);
}

static void start(const struct channel *channel, const struct listen_message *message, const struct address *address,
                  struct socketfile *file) {
    struct listener *listener = calloc(1, sizeof *listener);
    int fd = listener != NULL ? open_socket(address, file) : -1;
    if (fd < 0 || !source_open(&listener->source, fd, ready)) {
        refuse(channel, errno, STAGE_LISTEN, "the address cannot be listened on");
        if (fd >= 0 && file != NULL) {
            socketfile_remove(file);
        }
        free(file);
        free(listener);
        return;
    }
    listener->file = file;
    listener->window = message->window;
    channel_open(&listener->channel, &kind, channel->connection);
    channel_add(&listener->channel, channel->number, 0);
    channels_of(channel->connection)->listeners++;
    channel_started(&listener->channel, file == NULL ? port_of(fd) : 0);
    source_want(&listener->source, EPOLLIN);
}

static void start_local(const struct channel *place, const struct listen_message *message,
                        const struct address *address) {
    struct socketfile *file = calloc(1, sizeof *file);
    if (file == NULL) {
        refuse(place, ENOMEM, STAGE_RESOURCES, "no memory");
    } else if (!user_find(message->user, &file->user)) {
        refuse(place, ENOENT, STAGE_USER, "no such user or group");
        free(file);
    } else {
        file->address = *address;
        file->own_directory = (message->flags & LISTEN_DIRECTORY) != 0;
        start(place, message, address, file);
    }
}

void listener_open(struct connection *connection, uint32_t channel, uint8_t *payload, size_t size) {
    struct listen_message message;
    struct address address;
    if (!decode_listen(payload, size, &message)) {
        connection_violation(connection, "bad LISTEN");
        return;
    }
    const struct channel place = {.connection = connection, .number = channel};
    bool local = message.kind == CONNECT_UNIX;
    if (channels_of(connection)->listeners >= LISTENERS_MOST) {
        refuse(&place, EMFILE, STAGE_RESOURCES, "too many listeners");
    } else if (local ? !address_unix(&address, message.host) : !address_ip(&address, message.host, message.port)) {
        refuse(&place, EINVAL, STAGE_LISTEN, "no such address");
    } else if (local) {
        start_local(&place, &message, &address);
    } else {
        start(&place, &message, &address, NULL);
    }
}
