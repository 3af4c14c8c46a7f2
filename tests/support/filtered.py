"""A program without openat2 and renameat2, as on old kernels and in old containers: `filtered ERRNO ARGV...`."""

import ctypes
import errno
import os
import struct
import sys

_OPENAT2 = 437  # the same on every architecture
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS; BPF_JMP | BPF_JEQ | BPF_K; BPF_RET | BPF_K
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000  # and an errno
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


def _steps(error: int) -> bytes:
    """The filter: struct sock_filter, one after another."""
    steps = [
        (_LOAD, 0, 0, 0),  # the number of the call
        (_IF_EQUAL, 2, 0, _OPENAT2),
        (_IF_EQUAL, 1, 0, _RENAMEAT2[os.uname().machine]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | error),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def filtered(agent: str, error: str = "ENOSYS") -> list[str]:
    """Return the command that runs a program so; the calls fail with `error`."""
    return [sys.executable, __file__, error, agent]


def main() -> None:
    filtering = _steps(getattr(errno, sys.argv[1]))
    steps = ctypes.create_string_buffer(filtering)
    program = struct.pack("HP", len(filtering) // 8, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0 or libc.prctl(_SECCOMP, _FILTER, program) != 0:
        raise OSError(ctypes.get_errno(), "no filter of system calls is to be had")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
