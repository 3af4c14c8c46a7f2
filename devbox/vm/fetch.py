"""A large file from the web, into a file of this host; what has come stays when anything ends it.

Whether it is the right one its digest tells, which is the caller's to compare; so it may as well come by plain HTTP.
"""

import contextlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbox.errors import BaseImageError
from devbox.reporter import Progress
from devbox.values import format_size, printable

_PIECE: Final = 1 << 20
_SILENCE: Final = 60.0  # seconds without a byte
_TRIES: Final = 3
_STEP: Final = 4 << 20  # bytes after which it says how far it is

Opener = Callable[[urllib.request.Request], http.client.HTTPResponse]


class _BrokenOff(Exception):
    """The connection ended in the middle."""


def fetch(url: str, target: Path, progress: Progress, *, opener: Opener | None = None) -> None:
    """Have all of `url`, an http or https address, in the file `target`, of which a part may be there already.

    `BaseImageError` if it cannot be had; what has come stays. `OSError` if it cannot be written.
    """
    for left in reversed(range(_TRIES)):
        try:
            _go_on(url, target, progress, opener or _open)
        except _BrokenOff as error:
            if not left:
                raise _cannot(url, str(error)) from error
            progress.update("the connection was cut off; going on")
        else:
            return


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    found = urllib.request.urlopen(request, timeout=_SILENCE)
    if not isinstance(found, http.client.HTTPResponse):
        raise urllib.error.URLError("it leads to something that is not http")
    return found


def _go_on(url: str, target: Path, progress: Progress, opener: Opener) -> None:
    there = target.stat().st_size if target.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        with contextlib.closing(opener(request)) as answer:
            goes_on = answer.status == 206 and _begins(answer) == there
            _take(answer, target, there if goes_on else 0, progress)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise _cannot(url, f"the server says {error.code} {printable(error.reason or '')}".strip()) from error
        if _length_said(error) != there:  # there is nothing behind what is here, and not because all of it is
            target.unlink()
            raise _BrokenOff("what was there is no part of it") from error
    except http.client.HTTPException as error:
        raise _BrokenOff(f"the connection was cut off ({type(error).__name__})") from error
    except urllib.error.URLError as error:
        raise _cannot(url, printable(str(error.reason)).lower()) from error


def _take(answer: http.client.HTTPResponse, target: Path, start: int, progress: Progress) -> None:
    rest = int(answer.headers.get("Content-Length") or -1)
    whole = start + rest if rest >= 0 else None
    _require_room(target, rest)
    at = said = start
    with target.open("r+b" if target.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        while piece := _read(answer):
            file.write(piece)
            at += len(piece)
            if at - said >= _STEP:
                said = at
                progress.update(f"{format_size(at)}{f' of {format_size(whole)}' if whole else ''}")
    if whole is not None and at < whole:
        raise _BrokenOff(f"{at} of {whole} bytes came")


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_PIECE)
    except TimeoutError as error:
        raise _BrokenOff(f"nothing came for {_SILENCE:g} s") from error
    except (http.client.HTTPException, ConnectionError) as error:
        raise _BrokenOff("the connection was cut off") from error


def _begins(answer: http.client.HTTPResponse) -> int:
    """Return at which byte of the whole the answer begins; -1 if it does not say."""
    kind, _, rest = (answer.headers.get("Content-Range") or "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if kind == "bytes" and start.isdecimal() else -1


def _length_said(error: urllib.error.HTTPError) -> int:
    whole = (error.headers.get("Content-Range") or "").rpartition("/")[2]
    return int(whole) if whole.isdecimal() else -1


def _require_room(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise BaseImageError(
            f"there is no room for {format_size(size)} in {target.parent}, which has {format_size(free)} left",
            hint="make room there, or set XDG_CACHE_HOME to another directory",
        )


def _cannot(url: str, why: str) -> BaseImageError:
    return BaseImageError(
        f"{printable(url)} cannot be fetched: {why}", hint="run the same command again: it goes on where it was"
    )
