"""Changes of one name on this host: only if there is what is expected, in one step, and with what was there kept.

A look before cannot be enough, since somebody may save the file just after. So the new and the old change places in one
step, the old is looked at again under its temporary name, and if it is not what was expected they change back.
"""

import contextlib
import errno
import os
import stat
import time

from devbox import confined
from devbox.confined import Place, Root
from devbox.faults import fault
from devbox.sync.core.entry import Stamp
from devbox.sync.core.names import OURS, TEMPORARY

TRASH = OURS + b"/trash"
TRASH_MODE = 0o700
_OTHERS_WRITE = 0o022
_PERMISSIONS = 0o777  # setuid, setgid and sticky are never given
_NEW_FILE, _NEW_DIRECTORY = 0o644, 0o755
NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class ChangedError(Exception):
    """There is something else than expected: `stamp`, None for nothing."""

    def __init__(self, stamp: Stamp | None) -> None:
        super().__init__("changed")
        self.stamp = stamp


def stamp_of(found: os.stat_result) -> Stamp:
    """Return the stamp of what a look found."""
    return Stamp(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def look(place: Place) -> Stamp | None:
    """Return the stamp of what is there."""
    found = place.look()
    return None if found is None else stamp_of(found)


def is_kind(stamp: Stamp, kind: int) -> bool:
    """Whether it is one of S_IFREG, S_IFDIR, S_IFLNK."""
    return stat.S_IFMT(stamp.mode) == kind


def same(found: Stamp, expected: Stamp) -> bool:
    """Whether it is what was expected, to the nanosecond; of a directory, whether it is that one."""
    if is_kind(expected, stat.S_IFDIR):
        return is_kind(found, stat.S_IFDIR) and found.inode == expected.inode
    return found == expected


def _still(found: Stamp, expected: Stamp) -> bool:
    """The same after a rename, which sets the time of change on most file systems."""
    if is_kind(expected, stat.S_IFDIR):
        return same(found, expected)
    return found[:3] == expected[:3] and found.inode == expected.inode


class Owner:
    """Whose new files are: when root works in somebody's directory they are that person's, not root's."""

    def __init__(self, root: Root) -> None:
        found = os.fstat(root.descriptor)
        self._given = (found.st_uid, found.st_gid) if os.geteuid() == 0 and found.st_uid != 0 else None
        self._root = os.geteuid() == 0

    def give(self, descriptor: int, old: os.stat_result | None = None) -> None:
        """Give an open file or directory its owner: that of `old`, if it replaces something."""
        if not self._root:
            return
        given = self._given if old is None else (old.st_uid, old.st_gid)
        if given and given != (0, 0):
            os.fchown(descriptor, *given)


class Changer:
    """Changes names beneath a root."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self.owner = Owner(root)
        self._kept_in = b""  # the directory in the trash that something was kept in last

    def place(self, path: bytes, expected: Stamp | None, keep: bytes = b"") -> Place:
        """Open where `path` is; nothing there where something was expected is `ChangedError`.

        What is expected, and where it is to be kept, must have sense: else `RefusedError`, before anything is done.
        """
        if expected is not None and stat.S_IFMT(expected.mode) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise confined.RefusedError("a fifo, socket or device")
        if keep:
            confined.check(keep)
        try:
            return self._root.place(path)
        except OSError as error:
            if expected is not None and error.errno in NOTHING_THERE:
                raise ChangedError(None) from error
            raise

    def require(self, place: Place, expected: Stamp | None) -> os.stat_result | None:
        """Look, and raise `ChangedError` unless there is what is expected."""
        found = place.look()
        stamp = None if found is None else stamp_of(found)
        if (stamp is None) != (expected is None) or (stamp and expected and not same(stamp, expected)):
            raise ChangedError(stamp)
        return found

    def mode(self, old: os.stat_result | None, *, executable: bool) -> int:
        """Return the mode of a new file: of the one that it replaces, where that is to stay."""
        replaced = old is not None and stat.S_ISREG(old.st_mode)
        return file_mode(old.st_mode if old is not None and replaced else _NEW_FILE, executable=executable)

    def dress(self, descriptor: int, old: os.stat_result | None, *, executable: bool, mtime: int) -> Stamp:
        """Give a new file owner, mode and time, those of the file that it replaces where they are to stay."""
        self.owner.give(descriptor, old if old is not None and stat.S_ISREG(old.st_mode) else None)
        os.utime(descriptor, ns=(mtime, mtime))
        found, mode = os.fstat(descriptor), self.mode(old, executable=executable)
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(descriptor, mode)
            found = os.fstat(descriptor)
        return stamp_of(found)

    def install(
        self,
        place: Place,
        temporary: bytes,
        expected: Stamp | None,
        keep: bytes,
        *,
        ours: Stamp | None = None,
        looked: bool = False,
    ) -> None:
        """Have what is under the name `temporary` of the same directory at `place`; it is gone from there after this.

        `ChangedError`, `OSError`: all is as it was, and what was to be installed is removed. If not even that can be,
        what was there stays under the temporary name. `ours`: the stamp of what is to be installed, if it is known.
        `looked`: there was what is expected a moment ago, so that it is enough to look after the swap.
        """
        fault("before the swap")
        ours = ours or stamp_of(os.stat(temporary, dir_fd=place.directory, follow_symlinks=False))
        try:
            if expected is None:
                self._install_new(place, temporary)
            else:
                if not looked:
                    self.require(place, expected)
                self._install_over(place, temporary, expected, keep, ours)
        except BaseException:
            _remove_ours(Place(place.directory, temporary), ours)
            raise
        fault("after the swap")

    def remove(self, place: Place, expected: Stamp, keep: bytes) -> None:
        """Have nothing at `place`."""
        self.require(place, expected)
        fault("before the removal")
        if is_kind(expected, stat.S_IFDIR):
            try:
                os.rmdir(place.name, dir_fd=place.directory)
            except FileNotFoundError as error:
                raise ChangedError(None) from error
        else:
            temporary = temporary_name()
            try:
                confined.rename_aside(place.directory, place.name, temporary)
            except FileNotFoundError as error:
                raise ChangedError(None) from error
            self._check_out(place, temporary, expected, keep)
        fault("after the removal")

    def rename(self, place: Place, expected: Stamp, to: Place) -> Stamp | None:
        """Have what is at `place` at `to` instead; returns its stamp there."""
        self.require(place, expected)
        fault("before the rename")
        try:
            confined.rename_new(place.directory, place.name, to.directory, to.name)
        except FileExistsError as error:
            raise ChangedError(look(to)) from error
        except FileNotFoundError as error:
            raise ChangedError(look(place)) from error
        found = look(to)
        if found is not None and not _still(found, expected):
            self._back(to.directory, to.name, place)
            raise ChangedError(look(place))
        fault("after the rename")
        return found

    def rescue(self, directory: int, name: bytes, as_name: bytes) -> None:
        """Put something that nobody expected into the trash, under a name of its own."""
        batch = time.strftime("%Y%m%dT%H%M%SZ-rescued-", time.gmtime()).encode() + os.urandom(8).hex().encode()
        self._keep(directory, name, batch + b"/" + as_name)

    def _install_new(self, place: Place, temporary: bytes) -> None:
        try:
            confined.rename_new(place.directory, temporary, place.directory, place.name)
        except FileExistsError as error:
            raise ChangedError(look(place)) from error

    def _install_over(self, place: Place, temporary: bytes, expected: Stamp, keep: bytes, ours: Stamp) -> None:
        try:
            confined.exchange(place.directory, temporary, place.directory, place.name)
        except (FileNotFoundError, FileExistsError) as error:
            raise ChangedError(look(place)) from error
        fault("amid the swap")
        self._check_out(place, temporary, expected, keep, ours)

    def _check_out(
        self, place: Place, temporary: bytes, expected: Stamp, keep: bytes, ours: Stamp | None = None
    ) -> None:
        """Look at what was taken out: dispose of it if it was expected, else put it back, where `ours` may be now."""
        found = look(Place(place.directory, temporary))
        if found is None or not _still(found, expected):
            self._undo(place, temporary, ours)
            raise ChangedError(look(place))
        try:
            self._dispose(place.directory, temporary, expected, keep)
        except OSError:
            self._undo(place, temporary, ours)
            raise

    def _undo(self, place: Place, temporary: bytes, ours: Stamp | None) -> None:
        if ours is not None:
            try:
                confined.exchange(place.directory, temporary, place.directory, place.name)
            except FileNotFoundError:  # ours was removed already: by whom, no matter
                pass
            else:
                self._discard(place, temporary, ours)
                return
        self._back(place.directory, temporary, place)

    def _back(self, directory: int, name: bytes, place: Place) -> None:
        """Rename back to where it was taken from; into the trash if there is something new already."""
        try:
            confined.rename_new(directory, name, place.directory, place.name)
        except FileExistsError:
            self.rescue(directory, name, place.name)

    def _discard(self, place: Place, temporary: bytes, ours: Stamp) -> None:
        """Remove what was ours, unless somebody wrote into it, or replaced it, in the moment that it was there."""
        found = look(Place(place.directory, temporary))
        if found is not None and not _still(found, ours):
            self.rescue(place.directory, temporary, place.name)

    def _dispose(self, directory: int, name: bytes, expected: Stamp, keep: bytes) -> None:
        if is_kind(expected, stat.S_IFDIR):
            os.rmdir(name, dir_fd=directory)
        elif keep:
            self._keep(directory, name, keep)
        else:
            os.unlink(name, dir_fd=directory)

    def _keep(self, directory: int, name: bytes, keep: bytes) -> None:
        above, _, kept_as = keep.rpartition(b"/")
        is_known, self._kept_in = above == self._kept_in, above
        if not is_known and self._keep_at_once(directory, name, keep, above):
            return
        trash = self._still_in_trash(above) if is_known else self._in_trash(above)
        try:
            confined.rename_new(directory, name, trash, kept_as)
        finally:
            os.close(trash)

    def _keep_at_once(self, directory: int, name: bytes, keep: bytes, above: bytes) -> bool:
        """Keep the first of a batch, which is most often its only one: a third of the calls. False: step by step."""
        try:
            trash = self._root.directory(TRASH)
        except FileNotFoundError:
            return False
        try:
            if not _is_ours_alone(trash):
                return False
            confined.make_new(trash, above, TRASH_MODE)
            confined.rename_new(directory, name, trash, keep)
        except (FileExistsError, PermissionError):  # a batch that has begun; a umask that takes our own rights
            return False
        finally:
            os.close(trash)
        return True

    def _still_in_trash(self, path: bytes) -> int:
        """Open a directory in the trash that is likely to be there."""
        try:
            return self._root.directory(TRASH + b"/" + path)
        except FileNotFoundError:
            return self._in_trash(path)

    def _in_trash(self, path: bytes) -> int:
        """Open a directory in the trash, made where it is missing."""
        try:
            trash = self._root.directory(TRASH)
        except FileNotFoundError:
            os.close(self.open_ours())
            trash = self._root.make_directories(TRASH, TRASH_MODE, self.owner.give)
        return confined.make_beneath(trash, path, TRASH_MODE, self.owner.give)

    def open_ours(self) -> int:
        """Open the directory that is ours in the root, made where it is missing; whoever asked closes it."""
        directory = self._root.make_directories(OURS, _NEW_DIRECTORY, self.owner.give)
        with contextlib.suppress(FileExistsError):
            descriptor = confined.create(directory, b".gitignore", _NEW_FILE)
            self.owner.give(descriptor)
            os.write(descriptor, b"*\n")
            os.close(descriptor)
        return directory


def _is_ours_alone(directory: int) -> bool:
    """Whether nobody else can put anything in an open directory, or take something out of it."""
    found = os.fstat(directory)
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE


def _remove_ours(place: Place, ours: Stamp) -> None:
    """Remove what was to be installed, and nothing that somebody else has there by now."""
    found = look(place)
    if found is not None and _still(found, ours):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.name, dir_fd=place.directory)


def temporary_name() -> bytes:
    """Return a name for something that is not to be seen yet, or no more."""
    return TEMPORARY + os.urandom(8).hex().encode()


def file_mode(mode: int, *, executable: bool) -> int:
    """Return a file's mode with its executable bits as asked: where it may be read, if it is executable."""
    mode &= _PERMISSIONS
    if not executable:
        return mode & ~0o111
    return mode if mode & 0o100 else mode | ((mode & 0o444) >> 2) | 0o100
