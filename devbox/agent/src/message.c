#include "message.h"

#include <string.h>

#include "wire.h"

enum { LENGTH_FIELD = 4 };

const uint8_t *read_raw(struct reader *reader, size_t size) {
    if (reader->bad || reader->left < size) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += size;
    reader->left -= size;
    return taken;
}

uint8_t read_u8(struct reader *reader) {
    const uint8_t *at = read_raw(reader, 1);
    return at == NULL ? 0 : at[0];
}

uint16_t read_u16(struct reader *reader) {
    const uint8_t *at = read_raw(reader, 2);
    return at == NULL ? 0 : (uint16_t)(at[0] | at[1] << 8);
}

uint32_t read_u32(struct reader *reader) {
    const uint8_t *at = read_raw(reader, 4);
    return at == NULL ? 0 : get_u32(at);
}

uint64_t read_u64(struct reader *reader) {
    uint64_t low = read_u32(reader);
    return low | (uint64_t)read_u32(reader) << 32;
}

char *read_str(struct reader *reader) {
    static char empty[1];
    empty[0] = '\0';
    uint32_t size = read_u32(reader);
    uint8_t *bytes = reader->at;
    if (read_raw(reader, size) == NULL || memchr(bytes, '\0', size) != NULL) {
        reader->bad = true;
        return empty;
    }
    char *text = (char *)bytes - LENGTH_FIELD;
    memmove(text, bytes, size);
    text[size] = '\0';
    return text;
}

struct list read_list(struct reader *reader) {
    struct list list = {.first = NULL, .count = read_u32(reader)};
    if (reader->bad || list.count > reader->left / LENGTH_FIELD) {
        reader->bad = true;
        list.count = 0;
        return list;
    }
    for (uint32_t index = 0; index < list.count && !reader->bad; index++) {
        char *item = read_str(reader);
        if (index == 0) {
            list.first = item;
        }
    }
    return list;
}

char *list_next(char *item) {
    return item + strlen(item) + LENGTH_FIELD;
}

bool read_all(const struct reader *reader) {
    return !reader->bad && reader->left == 0;
}

bool decode_header(const uint8_t bytes[static 12], struct header *header) {
    header->length = get_u32(bytes);
    header->channel = get_u32(bytes + 4);
    header->type = bytes[8];
    uint32_t most = header->type == FRAME_EXEC ? WIRE_EXEC_MAX : WIRE_PAYLOAD_MAX;
    return header->length <= most && bytes[9] == 0 && bytes[10] == 0 && bytes[11] == 0;
}

void encode_header(uint8_t bytes[static 12], const struct header *header) {
    put_u32(bytes, header->length);
    put_u32(bytes + 4, header->channel);
    put_u32(bytes + 8, header->type);
}

bool decode_hello(uint8_t *payload, size_t size, struct hello_message *message) {
    struct reader reader = {.at = payload, .left = size};
    const uint8_t *magic = read_raw(&reader, WIRE_MAGIC_SIZE);
    message->version = read_u16(&reader);
    message->identity = "";
    if (reader.bad || memcmp(magic, WIRE_MAGIC, WIRE_MAGIC_SIZE) != 0) {
        return false;
    }
    if (message->version != WIRE_VERSION) {
        return true; /* what follows is that version's business */
    }
    uint16_t zero = read_u16(&reader);
    message->identity = read_str(&reader);
    return read_all(&reader) && zero == 0;
}

bool decode_exec(uint8_t *payload, size_t size, struct exec_message *message) {
    struct reader reader = {.at = payload, .left = size};
    message->bytes = payload;
    message->size = size;
    message->flags = read_u32(&reader);
    message->window = read_u32(&reader);
    message->rows = read_u16(&reader);
    message->columns = read_u16(&reader);
    message->user = read_str(&reader);
    message->cwd = read_str(&reader);
    message->argv = read_list(&reader);
    message->env = read_list(&reader);
    if (!read_all(&reader) || (message->flags & ~(uint32_t)EXEC_ALL) != 0) {
        return false;
    }
    uint32_t own = message->flags & (EXEC_SFTP | EXEC_SYNC);
    if (own == 0) {
        return message->argv.count > 0;
    }
    bool alone = own != (EXEC_SFTP | EXEC_SYNC) && (message->flags & (EXEC_TERMINAL | EXEC_DETACH)) == 0;
    return alone && (own == EXEC_SFTP || message->argv.count == 1);
}

bool decode_connect(uint8_t *payload, size_t size, struct connect_message *message) {
    struct reader reader = {.at = payload, .left = size};
    message->window = read_u32(&reader);
    message->kind = read_u8(&reader);
    message->port = read_u16(&reader);
    message->host = read_str(&reader);
    return read_all(&reader) && message->kind >= CONNECT_TCP && message->kind <= CONNECT_UNIX;
}

bool decode_listen(uint8_t *payload, size_t size, struct listen_message *message) {
    struct reader reader = {.at = payload, .left = size};
    message->window = read_u32(&reader);
    message->kind = read_u8(&reader);
    message->flags = read_u8(&reader);
    message->port = read_u16(&reader);
    message->host = read_str(&reader);
    message->user = read_str(&reader);
    bool unix_path = message->kind == CONNECT_UNIX;
    bool known = unix_path ? (message->flags & ~LISTEN_DIRECTORY) == 0 : message->flags == 0;
    return read_all(&reader) && known && (unix_path || message->kind == CONNECT_TCP);
}

bool decode_stat(uint8_t *payload, size_t size, struct stat_message *message) {
    struct reader reader = {.at = payload, .left = size};
    message->flags = read_u32(&reader);
    message->path = read_str(&reader);
    return read_all(&reader) && (message->flags & ~(uint32_t)STAT_NO_FOLLOW) == 0;
}

void write_bytes(struct writer *writer, const void *bytes, size_t size) {
    if (writer->full || writer->room - writer->size < size) {
        writer->full = true;
        return;
    }
    if (size > 0) {
        memcpy(writer->at + writer->size, bytes, size);
    }
    writer->size += size;
}

static void write_number(struct writer *writer, uint64_t value, size_t size) {
    uint8_t bytes[8];
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)(value >> (8 * index));
    }
    write_bytes(writer, bytes, size);
}

void write_u8(struct writer *writer, uint8_t value) {
    write_number(writer, value, 1);
}

void write_u16(struct writer *writer, uint16_t value) {
    write_number(writer, value, 2);
}

void write_u32(struct writer *writer, uint32_t value) {
    write_number(writer, value, 4);
}

void write_u64(struct writer *writer, uint64_t value) {
    write_number(writer, value, 8);
}

void write_str(struct writer *writer, const char *text) {
    size_t size = strlen(text);
    write_u32(writer, (uint32_t)size);
    write_bytes(writer, text, size);
}

void put_u32(uint8_t *at, uint32_t value) {
    for (size_t index = 0; index < 4; index++) {
        at[index] = (uint8_t)(value >> (8 * index));
    }
}

uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
