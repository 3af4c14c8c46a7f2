"""A disk of a few files, as every system can read it: ISO 9660 with the names as they are (Joliet). Pure.

A system that devbox has not made is told who it is by such a disk, which takes neither root nor a program to write. The
same files give the same bytes. Source: ECMA-119, and the Joliet specification of 1995.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_SECTOR: Final = 2048
_FIRST: Final = 16  # sector of the first descriptor; those before it are nobody's
_MOST: Final = 2**31  # bytes of all
_NAME_MOST: Final = 64  # characters, of Joliet
_DATE: Final = bytes((80, 1, 1, 0, 0, 0, 0))  # 1980: years since 1900, month, day, hour, minute, second, zone
_LONG_DATE: Final = b"1980010100000000\0"
_NO_DATE: Final = b"0000000000000000\0"
_DIRECTORY: Final = 2
_UCS2: Final = b"%/E"  # how the second descriptor says what its names are written in


@dataclass(slots=True)
class _Node:
    """A directory (`content` None) or a file. `places`: its sector in the first and in the second tree."""

    name: str
    content: bytes | None = None
    entries: dict[str, "_Node"] = field(default_factory=dict)
    parent: "_Node | None" = None
    places: list[int] = field(default_factory=lambda: [0, 0])
    sizes: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(frozen=True, slots=True)
class _Tree:
    """One of the two ways in which the files are listed."""

    index: int
    kind: int  # of its descriptor
    encode: Callable[[str], bytes]  # of text
    named: Callable[[_Node], bytes]


def image(label: str, files: Mapping[str, bytes]) -> bytes:
    """Return the disk with this label, at most 16 letters, that has `files`, by relative path.

    `ValueError` for a name that leads elsewhere or is too long, and for more than such a disk has room for.
    """
    if not label.isascii() or len(label) > 16:
        raise ValueError(f"{label!r} is no label of such a disk")
    directories, contents = _sorted(files)
    trees = (_Tree(0, 1, str.encode, _short), _Tree(1, 2, _wide, _long))
    tables = {tree.index: [_FIRST + 3 + 2 * tree.index + number for number in range(2)] for tree in trees}
    at = _FIRST + 3 + 2 * len(trees)
    for tree in trees:
        for node in directories:
            node.sizes[tree.index] = len(_listing(node, tree))
            node.places[tree.index] = at
            at += node.sizes[tree.index] // _SECTOR
    for node in contents:
        assert node.content is not None
        node.places[:] = (at, at)
        node.sizes[:] = (len(node.content), len(node.content))
        at += -(-len(node.content) // _SECTOR)
    if at * _SECTOR > _MOST:
        raise ValueError("the files are too large for such a disk")
    pieces = [bytes(_FIRST * _SECTOR)]
    pieces += [_descriptor(tree, label, directories, tables[tree.index], at) for tree in trees]
    pieces.append(_padded(b"\xffCD001\x01"))
    for tree in trees:
        pieces += [_padded(_path_table(directories, tree, order)) for order in "<>"]
    pieces += [_listing(node, tree) for tree in trees for node in directories]
    pieces += [_padded(node.content or b"") for node in contents]
    return b"".join(pieces)


def _sorted(files: Mapping[str, bytes]) -> tuple[list[_Node], list[_Node]]:
    """Return the directories, each behind its parent and level by level, and the files."""
    root, contents = _Node(""), []
    for path in sorted(files):
        parts, here = path.split("/"), root
        _check(path, parts)
        for part in parts[:-1]:
            here = here.entries.setdefault(part, _Node(part, parent=here))
            if here.content is not None:
                raise ValueError(f"{path} lies below a file")
        here.entries[parts[-1]] = made = _Node(parts[-1], content=files[path], parent=here)
        contents.append(made)
    directories = [root]
    for node in directories:  # it grows meanwhile
        directories += [node.entries[name] for name in sorted(node.entries) if node.entries[name].content is None]
    if any(len(_path_table(directories, tree, "<")) > _SECTOR for tree in (_Tree(0, 1, str.encode, _long),)):
        raise ValueError("these are more directories than such a disk is made for")
    return directories, contents


def _check(path: str, parts: list[str]) -> None:
    if not all(parts) or {".", ".."} & set(parts) or any(len(part) > _NAME_MOST for part in parts):
        raise ValueError(f"{path!r} is no path for such a disk")
    if not all(part.isascii() and part.isprintable() and not set(part) & set('*:;?\\" ') for part in parts):
        raise ValueError(f"{path!r} has characters that such a disk does not have")


def _short(node: _Node) -> bytes:
    return node.name.upper().encode() + (b"" if node.content is None else b";1" if "." in node.name else b".;1")


def _long(node: _Node) -> bytes:
    return _wide(node.name)


def _wide(text: str) -> bytes:
    return text.encode("utf-16-be")


def _both(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little") + value.to_bytes(size, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _SECTOR)


def _record(node: _Node, tree: _Tree, name: bytes) -> bytes:
    """Return what a directory says of `node` under `name`."""
    flags = _DIRECTORY if node.content is None else 0
    place = _both(node.places[tree.index]) + _both(node.sizes[tree.index])
    rest = place + _DATE + bytes((flags, 0, 0)) + _both(1, 2) + bytes((len(name),)) + name
    rest += bytes(len(rest) % 2)  # two bytes come before it, so that it is as even as the whole
    return bytes((len(rest) + 2, 0)) + rest


def _listing(node: _Node, tree: _Tree) -> bytes:
    """Return the content of a directory; what it says of sizes and places may not be known yet, its length is."""
    records = [_record(node, tree, b"\0"), _record(node.parent or node, tree, b"\x01")]
    records += [_record(entry, tree, tree.named(entry)) for entry in sorted(node.entries.values(), key=tree.named)]
    pieces, room = [], _SECTOR
    for one in records:
        if len(one) > room:  # none lies across two sectors
            pieces.append(bytes(room))
            room = _SECTOR
        pieces.append(one)
        room -= len(one)
    return _padded(b"".join(pieces))


def _path_table(directories: list[_Node], tree: _Tree, order: str) -> bytes:
    numbers = {id(node): number for number, node in enumerate(directories, 1)}
    pieces = []
    for node in directories:
        name = tree.named(node) if node.parent else b"\0"
        parent = numbers[id(node.parent or node)]
        pieces.append(struct.pack(f"{order}BBIH", len(name), 0, node.places[tree.index], parent) + name)
        pieces.append(bytes(len(name) % 2))
    return b"".join(pieces)


def _descriptor(tree: _Tree, label: str, directories: list[_Node], tables: list[int], sectors: int) -> bytes:
    blank = tree.encode(" ")

    def text(said: str, size: int) -> bytes:
        return (tree.encode(said) + blank * size)[: size - size % len(blank)].ljust(size, b"\0")

    escape = _UCS2 if tree.index else b""
    table = len(_path_table(directories, tree, "<"))
    fields = [
        *(bytes((tree.kind,)), b"CD001\x01\0", text("", 32), text(label, 32), bytes(8)),
        *(_both(sectors), escape.ljust(32, b"\0"), _both(1, 2), _both(1, 2), _both(_SECTOR, 2), _both(table)),
        *(struct.pack("<II", tables[0], 0), struct.pack(">II", tables[1], 0)),
        _record(directories[0], tree, b"\0"),
        *(text("", 128) for _ in range(4)),
        *(text("", 37) for _ in range(3)),
        *(_LONG_DATE, _LONG_DATE, _NO_DATE, _NO_DATE, b"\x01\0"),
    ]
    return _padded(b"".join(fields))
