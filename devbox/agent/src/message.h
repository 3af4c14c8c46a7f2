/* Messages, decoded in place and encoded: pure, no system call. What is decoded is untrusted. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cursor over a payload. `bad` is set by the first read past the end or of a string with a NUL, and stays. */
struct reader {
    uint8_t *at;
    size_t left;
    bool bad;
};

uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
/* As many bytes; NULL if bad. */
const uint8_t *read_raw(struct reader *reader, size_t size);
/* The string is moved over its own length field, which leaves room for its NUL; "" if bad. */
char *read_str(struct reader *reader);

/* Strings in place, one after another; `list_next` goes from one to the next, `count` says when to stop. */
struct list {
    char *first;
    uint32_t count;
};

struct list read_list(struct reader *reader);
char *list_next(char *item);
/* Nothing is bad and nothing is left. */
bool read_all(const struct reader *reader);

struct header {
    uint32_t length;
    uint32_t channel;
    uint8_t type;
};

/* False if the length is above the type's limit or the zeros are none. */
bool decode_header(const uint8_t bytes[static 12], struct header *header);
void encode_header(uint8_t bytes[static 12], const struct header *header);

struct hello_message {
    uint16_t version;
    const char *identity; /* "" if the version is another one */
};

struct exec_message {
    uint32_t flags;
    uint32_t window;
    uint16_t rows;
    uint16_t columns;
    char *user;
    const char *cwd;
    struct list argv;
    struct list env;
    const uint8_t *bytes; /* that all these texts are in */
    size_t size;
};

struct connect_message {
    uint32_t window;
    uint8_t kind;
    uint16_t port;
    const char *host;
};

struct listen_message {
    uint32_t window;
    uint8_t kind;
    uint8_t flags;
    uint16_t port;
    const char *host;
    char *user;
};

struct stat_message {
    uint32_t flags;
    const char *path;
};

/* Each is false for anything malformed; the strings then point nowhere useful. */
bool decode_hello(uint8_t *payload, size_t size, struct hello_message *message);
bool decode_exec(uint8_t *payload, size_t size, struct exec_message *message);
bool decode_connect(uint8_t *payload, size_t size, struct connect_message *message);
bool decode_listen(uint8_t *payload, size_t size, struct listen_message *message);
bool decode_stat(uint8_t *payload, size_t size, struct stat_message *message);

/* An answer being written into memory of the caller's; what does not fit sets `full` and is left out. */
struct writer {
    uint8_t *at;
    size_t room;
    size_t size;
    bool full;
};

void write_u8(struct writer *writer, uint8_t value);
void write_u16(struct writer *writer, uint16_t value);
void write_u32(struct writer *writer, uint32_t value);
void write_u64(struct writer *writer, uint64_t value);
void write_bytes(struct writer *writer, const void *bytes, size_t size);
void write_str(struct writer *writer, const char *text);

void put_u32(uint8_t *at, uint32_t value);
uint32_t get_u32(const uint8_t *at);

#endif
