"""What a SyncSession remembers between its runs, in one sqlite file: rows, conflicts, a few facts.

A file of a newer devbox, or one that cannot be read, is put aside and begun anew: without an ancestor two equal
files are agreed, and two different ones are a conflict, so that nothing is lost by it.
"""

import contextlib
import gc
import os
import sqlite3
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Final

from devbox.faults import fault
from devbox.sync.core.entry import Entry, Kind
from devbox.sync.rows import DIRECTORY, Node, Rows

VERSION: Final = 1
_TABLES: Final = """
create table facts (name text primary key, value blob) without rowid;
create table rows (path blob primary key, base blob, host blob, host_stamp blob, guest blob, guest_stamp blob)
    without rowid;
create table conflicts (path blob primary key, reason text, since integer) without rowid;
"""
_UPSERT: Final = "insert or replace into rows values (?, ?, ?, ?, ?, ?)"
_Row = tuple[bytes, bytes | None, bytes | None, bytes | None, bytes | None, bytes | None]


def encoded(entry: Entry | None) -> bytes | None:
    """Return an Entry as the state has it: a letter for its kind, and what belongs to it."""
    if entry is None:
        return None
    if entry.kind is Kind.FILE:
        return (b"x" if entry.executable else b"f") + entry.digest
    if entry.kind is Kind.LINK:
        return b"l" + entry.target
    return b"d" if entry.kind is Kind.DIRECTORY else b"o" + entry.reason.encode()


def decoded(data: bytes | None) -> Entry | None:
    """Return the Entry of these bytes; `ValueError` if they are none."""
    if data is None:
        return None
    letter, rest = data[:1], data[1:]
    if letter in (b"f", b"x"):
        return Entry(Kind.FILE, digest=rest, executable=letter == b"x")
    if letter == b"d":
        return DIRECTORY
    if letter == b"l":
        return Entry(Kind.LINK, target=rest)
    if letter == b"o":
        return Entry(Kind.OTHER, reason=rest.decode())
    raise ValueError(letter)


class State:
    """The file. Of one thread; all that is written in one `save` is there after it, or nothing of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.aside = ""  # where a file went that could not be used
        try:
            self._open()
        except (sqlite3.DatabaseError, ValueError):
            self._put_aside()
            self._open()

    def _open(self) -> None:
        self._base = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            version = int(self._base.execute("pragma user_version").fetchone()[0])
            if version > VERSION:
                raise ValueError(version)  # noqa: TRY301 (as for a file that is none)
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = normal")
            if version == 0:
                self._base.executescript(f"begin; {_TABLES} pragma user_version = {VERSION}; commit;")
            self._base.execute("select count(*) from conflicts").fetchone()
        except BaseException:
            self._base.close()
            raise

    def _put_aside(self) -> None:
        number = 1
        while os.path.lexists(f"{self.path}.aside-{number}"):
            number += 1
        self.aside = f"{self.path}.aside-{number}"
        os.rename(self.path, self.aside)  # noqa: PTH104 (paths here are plain strings)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.path + suffix, self.aside + suffix)  # noqa: PTH104

    def load(self) -> Rows:
        """Return all rows. What cannot be understood puts the file aside, and there are none."""
        collecting = gc.isenabled()
        gc.disable()  # it would go through the rows again and again while they come, to find nothing
        try:
            return self._load()
        except (sqlite3.DatabaseError, ValueError):
            self._base.close()
            self._put_aside()
            self._open()
            return Rows()
        finally:
            if collecting:
                gc.enable()

    def _load(self) -> Rows:
        rows = Rows()
        directories = {b"": rows.root}
        entries: dict[bytes, Entry | None] = {}  # most have a content of their own, but links and directories repeat
        for path, base, host, host_stamp, guest, guest_stamp in self._rows():
            if base is None and host_stamp is None and guest_stamp is None:
                rows.gone.add(path)  # it ended before it could say so
                continue
            above, _, name = path.rpartition(b"/")
            parent = directories.get(above)
            if parent is None:
                parent = directories[above] = rows.need(above)
            node = rows.child(parent, name)
            node.base = entry = _shared(entries, base)
            if host_stamp is not None:
                node.host, node.host_stamp = entry if host is None else decoded(host), host_stamp
            if guest_stamp is not None:
                node.guest, node.guest_stamp = entry if guest is None else decoded(guest), guest_stamp
        return rows

    def _rows(self) -> Iterator[_Row]:
        return self._base.execute("select * from rows order by path")

    def facts(self) -> dict[str, bytes]:
        """Return all facts."""
        return dict(self._base.execute("select name, value from facts").fetchall())

    def conflicts(self) -> dict[bytes, tuple[str, int]]:
        """Return by path of what kind a conflict is, and since when (seconds)."""
        return {path: (reason, since) for path, reason, since in self._base.execute("select * from conflicts")}

    def save(self, rows: Rows, facts: dict[str, bytes], conflicts: dict[bytes, tuple[str, int]] | None = None) -> None:
        """Write the rows that changed, these facts, and the conflicts if they are given (all there are)."""
        fault("sync state save")
        base = self._base
        base.execute("begin immediate")
        try:
            base.executemany("delete from rows where path = ?", [(path,) for path in rows.gone])
            base.executemany(_UPSERT, _written(rows.changed))
            base.executemany("insert or replace into facts values (?, ?)", facts.items())
            if conflicts is not None:
                base.execute("delete from conflicts")
                base.executemany("insert into conflicts values (?, ?, ?)", [(p, *c) for p, c in conflicts.items()])
            fault("sync state commit")
            base.execute("commit")
        except BaseException:
            base.execute("rollback")
            raise
        fault("sync state saved")
        rows.gone.clear()
        rows.changed.clear()

    def clear(self) -> None:
        """Forget all rows and conflicts."""
        self._base.executescript("begin; delete from rows; delete from conflicts; commit;")

    def close(self) -> None:
        """Give it back."""
        self._base.close()


def copied(path: str, target: str, facts: dict[str, bytes]) -> bool:
    """Make the new file `target` a state like the one at `path`, which may be in use, with these facts beside its own.

    Return False if there is none that can be used; then there is no `target`.
    """
    if not os.access(path, os.R_OK):
        return False
    done = False
    try:
        with contextlib.closing(sqlite3.connect(path)) as base, contextlib.closing(sqlite3.connect(target)) as copy:
            base.backup(copy)
            copy.executemany("insert or replace into facts values (?, ?)", facts.items())
            copy.commit()
            copy.execute("pragma journal_mode = delete")
        done = True
    except sqlite3.DatabaseError:
        pass
    finally:
        if not done:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)  # noqa: PTH108 (paths here are plain strings)
    return done


def _shared(entries: dict[bytes, Entry | None], data: bytes | None) -> Entry | None:
    if data is None or (len(data) > 1 and data[:1] in b"fx"):
        return decoded(data)
    if data not in entries:
        entries[data] = decoded(data)
    return entries[data]


def _written(nodes: Iterable[Node]) -> list[_Row]:
    """Return their rows in the order of the table, in which they are written fastest."""
    above: dict[Node, bytes] = {}
    rows = []
    for node in nodes:
        parent = node.parent
        if parent is None:
            continue
        prefix = above.get(parent)
        if prefix is None:
            prefix = above[parent] = parent.path + b"/" if parent.parent is not None else b""
        base = node.base
        host = None if node.host is base or node.host == base else encoded(node.host)
        guest = None if node.guest is base or node.guest == base else encoded(node.guest)
        rows.append((prefix + node.name, encoded(base), host, node.host_stamp, guest, node.guest_stamp))
    rows.sort(key=itemgetter(0))
    return rows
