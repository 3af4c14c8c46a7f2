"""Files beneath one directory, by an open handle of it: the one module for paths that somebody else may have named.

Paths are bytes, relative, with "/" between their names. Nothing outside the directory is reached, whatever a path says
and whatever is swapped for what in the meantime: Linux resolves a path in one step (`openat2`, beneath the handle, no
links at all); where there is no such call (macOS, old kernels, some containers) each name of it is opened from the one
before with O_NOFOLLOW, which comes to the same. A link in a path is `OSError` ELOOP or ENOTDIR.

No handle is kept from one call to the next: what was a directory of the tree a moment ago may be none of it now.
"""

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

_OPENAT2 = 437  # the same on every architecture
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "armv7l": 382, "riscv64": 276, "ppc64le": 357, "s390x": 347}
_RESOLVE = 0x08 | 0x04 | 0x02  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_NO_REPLACE, _EXCHANGE = 1, 2
_MAC_NO_REPLACE, _MAC_EXCHANGE = 4, 2  # RENAME_EXCL, RENAME_SWAP
_MISSING = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
_RACES = 64  # openat2 says EAGAIN if a rename crosses its way
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a fifo must not hang us
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class RefusedError(ValueError):
    """A path that names nothing beneath a directory: absolute, with "..", an empty name or a NUL in it."""


class NotAFileError(OSError):
    """There is something, but no regular file."""


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _Rename(Protocol):
    def __call__(self, from_dir: int, name: bytes, to_dir: int, new: bytes, flags: int, /) -> int: ...


_libc = ctypes.CDLL(None, use_errno=True)
_open2 = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
)(("syscall", _libc))
_HOW = ctypes.byref(_How(_FOLDER & ~os.O_NOFOLLOW, 0, _RESOLVE))
_HOW_FILE = ctypes.byref(_How(_FILE & ~os.O_NOFOLLOW, 0, _RESOLVE))
_HOW_SIZE = ctypes.sizeof(_How)


def _renamer() -> _Rename | None:
    """Return a call that renames with flags, if this system has one."""
    kinds = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    if sys.platform == "darwin":
        mac = ctypes.CFUNCTYPE(ctypes.c_int, *kinds, use_errno=True)(("renameatx_np", _libc))
        flags = {_NO_REPLACE: _MAC_NO_REPLACE, _EXCHANGE: _MAC_EXCHANGE}
        return lambda a, name, b, new, flag: int(mac(a, name, b, new, flags[flag]))
    number = _RENAMEAT2.get(os.uname().machine)
    if number is None:
        return None
    call = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long, *kinds, use_errno=True)(("syscall", _libc))
    return lambda a, name, b, new, flag: int(call(number, a, name, b, new, flag))


_rename2 = _renamer()


def check(path: bytes) -> None:
    """`RefusedError` unless `path` may name something beneath a directory."""
    if b"\0" in path:
        raise RefusedError("a NUL in a path")
    for name in path.split(b"/"):
        if name in (b"", b".", b".."):
            raise RefusedError("an empty name, . or .. in a path")


class Place:
    """One name in an open directory of the tree, there or not. `with`, or `close` it."""

    __slots__ = ("directory", "name")

    def __init__(self, directory: int, name: bytes) -> None:
        self.directory = directory
        self.name = name

    def look(self) -> os.stat_result | None:
        """What is there itself, never what a link leads to."""
        return look(self.directory, self.name)

    def open(self) -> int:
        """Open the regular file that is there for reading; `NotAFileError` if it is something else."""
        return open_file(self.directory, self.name)

    def close(self) -> None:
        """Close the directory."""
        os.close(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.directory)


class Root:
    """The directory that nothing leads out of. `descriptor`: its handle."""

    def __init__(self, path: str | bytes | os.PathLike[str]) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def directory(self, path: bytes) -> int:
        """Open the directory at `path` (b"": the root itself); whoever asked closes it."""
        if not path:
            return os.open(b".", _FOLDER, dir_fd=self.descriptor)
        check(path)
        return _open_directory(self.descriptor, path)

    def place(self, path: bytes) -> Place:
        """Open the directory that `path` is in. `OSError` if there is none, `RefusedError` for a path of no sense."""
        check(path)
        parent, _, name = path.rpartition(b"/")
        if not parent:
            return Place(os.open(b".", _FOLDER, dir_fd=self.descriptor), name)
        return Place(_open_directory(self.descriptor, parent), name)

    def file(self, path: bytes) -> tuple[int, os.stat_result]:
        """Open the regular file at `path` for reading, and look at it. Errors as of `place` and `Place.open`."""
        check(path)
        descriptor: int = -1
        if _has_openat2:
            descriptor = _open2(_OPENAT2, self.descriptor, path, _HOW_FILE, _HOW_SIZE)
            if descriptor < 0 and ctypes.get_errno() == errno.ENOENT:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if descriptor < 0:  # by steps, to know why
            with self.place(path) as place:
                descriptor = place.open()
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise NotAFileError(errno.EINVAL, "not a regular file")
        return descriptor, found

    def make_directories(self, path: bytes, mode: int, made: Callable[[int], None]) -> int:
        """Open the directory at `path`, made with all above it where they are missing; `made` gets each new one."""
        return make_beneath(os.open(b".", _FOLDER, dir_fd=self.descriptor), path, mode, made)

    def close(self) -> None:
        """Give the handle back."""
        os.close(self.descriptor)


def look(directory: int, name: bytes) -> os.stat_result | None:
    """What `name` of this directory is itself; None if nothing."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def open_file(directory: int, name: bytes, flags: int = _FILE) -> int:
    """Open a regular file; `NotAFileError` if it is anything else, without waiting for a fifo's other end."""
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR):  # a link, a socket, a device
            raise NotAFileError(error.errno, error.strerror) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFileError(errno.EINVAL, "not a regular file")
    return descriptor


def open_directory(directory: int, name: bytes) -> int:
    """Open the directory `name`, which is no link."""
    return os.open(name, _FOLDER, dir_fd=directory)


def make_directory(directory: int, name: bytes, mode: int, made: Callable[[int], None]) -> int:
    """Open the directory `name`, made with just this mode if nothing is there; `made` gets its handle then."""
    try:
        os.mkdir(name, mode, dir_fd=directory)
    except FileExistsError:
        return open_directory(directory, name)
    handle = open_directory(directory, name)
    os.fchmod(handle, mode)
    made(handle)
    return handle


def make_beneath(handle: int, path: bytes, mode: int, made: Callable[[int], None]) -> int:
    """Open the directory at `path` in that of `handle`, which is closed; see `Root.make_directories`."""
    try:
        check(path)
        for name in path.split(b"/"):
            following = make_directory(handle, name, mode, made)
            os.close(handle)
            handle = following
    except BaseException:
        os.close(handle)
        raise
    return handle


def make_new(handle: int, path: bytes, mode: int) -> None:
    """Make the directory at `path` in that of `handle`, and all above it, of which the first must be new.

    `FileExistsError` if it is not. In what is new there is no link, so no name is opened on the way to the next: only
    for a directory in which nobody else may write; see `make_beneath` for all others.
    """
    check(path)
    end = path.find(b"/")
    while end >= 0:
        os.mkdir(path[:end], mode, dir_fd=handle)
        end = path.find(b"/", end + 1)
    os.mkdir(path, mode, dir_fd=handle)


def create(directory: int, name: bytes, mode: int = 0o600) -> int:
    """Make a new file and open it for reading and writing; `FileExistsError` if there is anything."""
    return os.open(name, _NEW, mode, dir_fd=directory)


def exchange(from_dir: int, name: bytes, to_dir: int, other: bytes) -> None:
    """Let two names of one file system change places in one step; `FileNotFoundError` unless both are there.

    Where the file system cannot do that in one step, `other` is missing for a moment. What somebody puts there just
    then stays, this is `FileExistsError`, and what `other` was lies beside it, with a "~" after its name.
    """
    if not _flagged(from_dir, name, to_dir, other, _EXCHANGE):
        _exchange_by_steps(from_dir, name, to_dir, other)


def rename_aside(directory: int, name: bytes, spare: bytes) -> None:
    """Rename to a name that nobody else has: in one step everywhere, so what is there in that very moment."""
    os.rename(name, spare, src_dir_fd=directory, dst_dir_fd=directory)


def rename_new(from_dir: int, name: bytes, to_dir: int, new: bytes) -> None:
    """Rename to where nothing is; `FileExistsError` if something is.

    Where the file system cannot do that in one step, a file gets its new name before it loses the old one, and for a
    directory, which cannot have two, there is a moment between look and rename in which an empty one would be lost.
    """
    if not _flagged(from_dir, name, to_dir, new, _NO_REPLACE):
        _rename_by_steps(from_dir, name, to_dir, new)


def _open_directory(root: int, path: bytes) -> int:
    if not _has_openat2:
        return _open_chain(root, path)
    for _ in range(_RACES):
        descriptor: int = _open2(_OPENAT2, root, path, _HOW, _HOW_SIZE)
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number))
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _open_chain(root: int, path: bytes) -> int:
    handle = os.open(b".", _FOLDER, dir_fd=root)
    for name in path.split(b"/"):
        try:
            following = open_directory(handle, name)
        finally:
            os.close(handle)
        handle = following
    return handle


def _find_openat2() -> bool:
    """Whether the system has the call and lets us use it; an old container's filter says EPERM."""
    if sys.platform != "linux":
        return False
    root = os.open(b"/", _FOLDER)
    descriptor: int = _open2(_OPENAT2, root, b".", _HOW, _HOW_SIZE)
    os.close(root)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


def _flagged(from_dir: int, name: bytes, to_dir: int, new: bytes, flag: int) -> bool:
    """Rename with a flag; False if that cannot be done here."""
    if _rename2 is None:
        return False
    if _rename2(from_dir, name, to_dir, new, flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _MISSING:
        return False
    raise OSError(number, os.strerror(number))


def _rename_by_steps(from_dir: int, name: bytes, to_dir: int, new: bytes) -> None:
    found = os.stat(name, dir_fd=from_dir, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) and _link(from_dir, name, to_dir, new):
        try:
            os.unlink(name, dir_fd=from_dir)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=to_dir)
            raise
        return
    if look(to_dir, new) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(name, new, src_dir_fd=from_dir, dst_dir_fd=to_dir)


def _link(from_dir: int, name: bytes, to_dir: int, new: bytes) -> bool:
    """Give a file one more name; False where there are no hard links, which is EPERM."""
    try:
        os.link(name, new, src_dir_fd=from_dir, dst_dir_fd=to_dir, follow_symlinks=False)
    except (PermissionError, NotImplementedError):
        return False
    return True


def _exchange_by_steps(from_dir: int, name: bytes, to_dir: int, other: bytes) -> None:
    os.stat(name, dir_fd=from_dir, follow_symlinks=False)
    spare = name + b"~"
    if look(from_dir, spare) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(other, spare, src_dir_fd=to_dir, dst_dir_fd=from_dir)  # takes what is there, also if just saved
    try:
        rename_new(from_dir, name, to_dir, other)
    except FileExistsError:
        rename_new(from_dir, spare, to_dir, other + b"~")
        raise
    except OSError:
        rename_new(from_dir, spare, to_dir, other)
        raise
    os.rename(spare, name, src_dir_fd=from_dir, dst_dir_fd=from_dir)


_has_openat2 = _find_openat2()
