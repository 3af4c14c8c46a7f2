"""What a guest's end that is not honest may answer. Each is played to a session that believed it so far."""

from collections.abc import Callable
from typing import Final

from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import Answer, Code, Event, Found, Hash, List, Plant, Read, Request, Stat
from devbox.sync.rows import packed

Lie = Callable[[Request, Answer], Answer]
EventLie = Callable[[Event], tuple[Event, ...]]

_FILE: Final = 0o100644
_NAMES: Final = (b"../x", b"/etc/x", b"a/../../b", b"", b".", b"..", b"nul\0", b"n" * 5000, b"a/", b"d/a/b", b".devbox")
_HUGE: Final = 1 << 63


def _stamp(number: int, *, mode: int = _FILE, size: int = 7) -> Stamp:
    return Stamp(mode, size, 10**18 + number, 10**18 + number, 1000 + number)


def _listed(extra: tuple[Found, ...]) -> Lie:
    def lie(request: Request, answer: Answer) -> Answer:
        return answer._replace(found=answer.found + extra) if isinstance(request, List) else answer

    return lie


def _everything_is_a_file(request: Request, answer: Answer) -> Answer:
    if isinstance(request, List | Stat):
        return answer._replace(found=tuple(one._replace(stamp=one.stamp._replace(mode=_FILE)) for one in answer.found))
    return answer


def _nothing_is_there(request: Request, answer: Answer) -> Answer:
    return answer._replace(found=()) if isinstance(request, List | Stat) else answer


def _other_content(request: Request, answer: Answer) -> Answer:
    return answer._replace(data=b"evil" * (len(answer.data) // 4 + 1)) if isinstance(request, Read | Hash) else answer


def _huge(request: Request, answer: Answer) -> Answer:
    if isinstance(request, List | Stat):
        return answer._replace(
            found=tuple(one._replace(stamp=one.stamp._replace(size=_HUGE - 1)) for one in answer.found)
        )
    return answer


def _all_failed(_request: Request, _answer: Answer) -> Answer:
    return Answer(Code.FAILED, errno=5)


def _all_done(_request: Request, answer: Answer) -> Answer:
    return answer._replace(code=Code.DONE)


def _planted_otherwise(request: Request, answer: Answer) -> Answer:
    if not isinstance(request, Plant):
        return answer
    return answer._replace(stamps=tuple(packed(_stamp(number)) for number, _ in enumerate(answer.stamps)))


def _none_planted(request: Request, answer: Answer) -> Answer:
    return answer._replace(stamps=(None,) * len(answer.stamps)) if isinstance(request, Plant) else answer


LIES: Final[dict[str, Lie]] = {
    "other files than were planted": _planted_otherwise,
    "no file was planted": _none_planted,
    **{f"a name {name[:12]!r}": _listed((Found(name, _stamp(number)),)) for number, name in enumerate(_NAMES)},
    "one name twice": _listed((Found(b"twice", _stamp(1)), Found(b"twice", _stamp(2, mode=0o040755)))),
    "a link to the outside": _listed((Found(b"lnk", _stamp(3, mode=0o120777), b"/etc"),)),
    "a kind that there is not": _listed((Found(b"odd", _stamp(4, mode=0o170000)),)),
    "everything is a file": _everything_is_a_file,
    "files of 2^63 bytes": _huge,
    "other content": _other_content,
    "nothing is there": _nothing_is_there,
    "nothing works": _all_failed,
    "everything works": _all_done,
}


def very_many(count: int) -> Lie:
    """Tell of so many files that are not there."""
    return _listed(tuple(Found(b"many%d" % number, _stamp(number)) for number in range(count)))


EVENT_LIES: Final[dict[str, EventLie]] = {
    **{f"an event at {name[:12]!r}": lambda event, name=name: (event._replace(name=name),) for name in _NAMES if name},
    "an event of no watch": lambda event: (event._replace(watch=123_456),),
    "an event of a watch below none": lambda event: (event._replace(watch=-7),),
    "content that it has not": lambda event: (event, event._replace(stamp=_stamp(5), data=b"evil!!!")),
    "content of another size": lambda event: (event, event._replace(stamp=_stamp(6, size=1 << 40), data=b"evil")),
    "content of a directory": lambda event: (event, event._replace(stamp=_stamp(7, mode=0o040755), data=b"evil")),
    "each event a thousand times": lambda event: (event,) * 1000,
    "no event": lambda event: () if event.watch >= 0 else (event,),
}
