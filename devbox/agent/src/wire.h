/* The numbers that both sides of docs/reference/agent-protocol.md agree on. */
#ifndef WIRE_H
#define WIRE_H

#define WIRE_MAGIC "DEVBOXAG"

#define WIRE_FIRST_ACCEPTED 0x80000000U /* channels from here on are chosen by the agent */

enum {
    WIRE_VERSION = 1,
    WIRE_MAGIC_SIZE = 8,
    WIRE_HEADER = 12,
    WIRE_PAYLOAD_MAX = 65536,
    WIRE_EXEC_MAX = 1048576,
    WIRE_CREDIT = 65536, /* what a client may send on a channel before it is given more */
    WIRE_DATAGRAM_MAX = 65507,
    WIRE_BOOT_ID = 16,
};

enum frame_type {
    FRAME_HELLO = 0x01,
    FRAME_EXEC = 0x02,
    FRAME_STARTED = 0x03,
    FRAME_FAILED = 0x04,
    FRAME_DATA = 0x05,
    FRAME_STDOUT = 0x06,
    FRAME_STDERR = 0x07,
    FRAME_EOF = 0x08,
    FRAME_WINDOW = 0x09,
    FRAME_RESIZE = 0x0a,
    FRAME_SIGNAL = 0x0b,
    FRAME_EXIT = 0x0c,
    FRAME_CLOSE = 0x0d,
    FRAME_CLOSED = 0x0e,
    FRAME_CONNECT = 0x0f,
    FRAME_LISTENERS = 0x10,
    FRAME_SESSIONS = 0x11,
    FRAME_STAT = 0x12,
    FRAME_LISTEN = 0x14,
    FRAME_ACCEPTED = 0x15,
    FRAME_ERROR = 0x7f,
};

enum exec_flag { EXEC_TERMINAL = 1, EXEC_STDIN = 2, EXEC_DETACH = 4, EXEC_SFTP = 8, EXEC_SYNC = 16, EXEC_ALL = 31 };
enum failed_stage {
    STAGE_USER = 1,
    STAGE_CWD = 2,
    STAGE_EXEC = 3,
    STAGE_RESOURCES = 4,
    STAGE_CONNECT = 5,
    STAGE_LISTEN = 6,
};
enum connect_kind { CONNECT_TCP = 1, CONNECT_UDP = 2, CONNECT_UNIX = 3 };
enum listen_flag { LISTEN_DIRECTORY = 1 };
enum stat_flag { STAT_NO_FOLLOW = 1 };

#endif
