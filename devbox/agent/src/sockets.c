#include "sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "lines.h"
#include "message.h"

enum { ANSWER_MOST = 2000, ENTRY_SIZE = 24, TCP_LISTENS = 0x0a, UDP_UNCONNECTED = 0x07, COLUMNS = 8 };

struct table {
    const char *path;
    uint8_t protocol; /* 1 TCP, 2 UDP */
    uint8_t family;
    uint8_t state;
};

static const struct table tables[] = {
    {"/proc/net/tcp", 1, 4, TCP_LISTENS},
    {"/proc/net/tcp6", 1, 6, TCP_LISTENS},
    {"/proc/net/udp", 2, 4, UDP_UNCONNECTED},
    {"/proc/net/udp6", 2, 6, UDP_UNCONNECTED},
};

struct entry {
    uint8_t address[16];
    uint16_t port;
    uint32_t uid;
};

void sockets_be_prompt(int fd) {
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* without it all works, a little later */
}

static int digit(char letter) {
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    if (letter >= 'A' && letter <= 'F') {
        return letter - 'A' + 10;
    }
    return -1;
}

/* `count` hexadecimal digits; false if there are fewer. */
static bool parse_hex(const char *text, size_t count, uint32_t *value) {
    *value = 0;
    for (size_t index = 0; index < count; index++) {
        int found = digit(text[index]);
        if (found < 0) {
            return false;
        }
        *value = *value << 4 | (uint32_t)found;
    }
    return true;
}

static bool parse_decimal(const char *text, uint32_t *value) {
    uint64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        sum = sum * 10 + (uint64_t)(*text - '0');
        if (sum > UINT32_MAX) {
            return false;
        }
    }
    *value = (uint32_t)sum;
    return true;
}

static size_t split(char *line, char *columns[static COLUMNS]) {
    size_t count = 0;
    char *rest = line;
    char *word;
    while (count < COLUMNS && (word = strtok_r(rest, " ", &rest)) != NULL) {
        columns[count++] = word;
    }
    return count;
}

/* Words of four bytes, each as a number of this machine: "0100007F:1F90". */
static bool parse_address(const char *text, int family, struct entry *entry) {
    size_t words = family == 4 ? 1 : 4;
    uint32_t value;
    memset(entry->address, 0, sizeof entry->address);
    for (size_t index = 0; index < words; index++) {
        if (!parse_hex(text + 8 * index, 8, &value)) {
            return false;
        }
        memcpy(entry->address + 4 * index, &value, sizeof value);
    }
    if (text[8 * words] != ':' || !parse_hex(text + 8 * words + 1, 4, &value)) {
        return false;
    }
    entry->port = (uint16_t)value;
    return true;
}

/* Columns: number, own address, peer, state, queues, timer, retransmits, uid. The first line is a heading. */
static bool parse_entry(char *line, const struct table *table, struct entry *entry) {
    char *columns[COLUMNS];
    uint32_t state;
    return split(line, columns) == COLUMNS && parse_hex(columns[3], 2, &state) && state == table->state &&
        parse_address(columns[1], table->family, entry) && parse_decimal(columns[7], &entry->uid);
}

static struct lines lines;

bool sockets_bound_udp(int family, uint16_t port) {
    const struct table *table = &tables[family == 4 ? 2 : 3];
    bool found = false;
    char *line;
    if (!lines_open(&lines, table->path)) {
        return false;
    }
    while (!found && (line = lines_next(&lines)) != NULL) {
        struct entry entry;
        found = parse_entry(line, table, &entry) && entry.port == port;
    }
    lines_close(&lines);
    return found;
}

static void write_table(struct writer *writer, const struct table *table, uint32_t *count) {
    char *line;
    if (!lines_open(&lines, table->path)) {
        return; /* a kernel without IPv6 */
    }
    while (*count < ANSWER_MOST && (line = lines_next(&lines)) != NULL) {
        struct entry entry;
        if (parse_entry(line, table, &entry)) {
            write_u8(writer, table->protocol);
            write_u8(writer, table->family);
            write_u16(writer, entry.port);
            write_u32(writer, entry.uid);
            write_bytes(writer, entry.address, sizeof entry.address);
            *count += 1;
        }
    }
    lines_close(&lines);
}

void sockets_answer(struct connection *connection, uint32_t channel, size_t payload_size) {
    static uint8_t bytes[4 + ANSWER_MOST * ENTRY_SIZE];
    struct writer writer = {.at = bytes, .room = sizeof bytes};
    uint32_t count = 0;
    if (payload_size != 0) {
        connection_violation(connection, "bad LISTENERS");
        return;
    }
    write_u32(&writer, 0);
    for (size_t index = 0; index < sizeof tables / sizeof tables[0]; index++) {
        write_table(&writer, &tables[index], &count);
    }
    put_u32(bytes, count);
    connection_send(connection, channel, FRAME_LISTENERS, bytes, writer.size);
}
