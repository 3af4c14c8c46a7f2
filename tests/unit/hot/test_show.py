"""The rendering that both paths share."""

import json

from hypothesis import given
from hypothesis import strategies as st

from devbox.hot import show

ANY_TEXT = st.text(st.characters(codec=None))  # surrogates, too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=9), JSON))
def test_a_document_is_what_json_makes_of_it(values: dict[str, object]) -> None:
    assert show.document(values) == json.dumps({"schema": 1, **values}, indent=2, ensure_ascii=True) + "\n"


def test_columns_line_up_and_the_last_is_not_padded() -> None:
    lines = show.table([[("a", ""), ("b", "bold")], [("long", "dim"), ("c", "")]])
    assert [show.painted(line, colour=False) for line in lines] == ["a     b", "long  c"]
    assert show.painted(lines[1], colour=True) == "\x1b[2mlong  \x1b[0mc"


def status(**values: object) -> dict[str, object]:
    known = {
        "name": "shop",
        "workspace": "/p",
        "engine": "unix:///s",
        "state": "running",
        "stale": False,
        "saved": False,
    }
    return {
        **known,
        "instance": "0123456789abcdef",
        "image": "sha256:fedcba9876543210",
        "ports": [],
        "sessions": [],
        **values,
    }


def text(document: dict[str, object]) -> list[str]:
    return [show.painted(line, colour=False) for line in show.status_lines(document)]


def test_status_for_a_person() -> None:
    port = show.port_document("web", "::1", 8001, 80, "tcp")
    dns = show.port_document("dns", "127.0.0.1", 53, 53, "udp")
    session = show.session_document(7, 0, 0, ["sleep", "9"], terminal=False, detached=True)
    assert text(status(ports=[port, dns], sessions=[session])) == [
        "name       shop",
        "state      running",
        "workspace  /p",
        "engine     unix:///s",
        "instance   0123456789ab",
        "image      fedcba987654",
        "  port  web  http://[::1]:8001  -> 80 inside",
        "  port  dns  127.0.0.1:53/udp   -> 53 inside",
        "  session  7  sleep 9  detached",
    ]
    assert session["since"] == "1970-01-01T00:00:00Z"


def test_what_is_not_there_is_not_shown_and_what_is_next_depends() -> None:
    absent = status(state="absent", instance=None, image=None)
    assert text(absent) == ["name       shop", "state      absent", "workspace  /p", "engine     unix:///s"]
    assert show.status_next(absent) == "devbox up"
    assert show.status_next(status()) == "devbox shell"
    assert show.status_next(status(stale=True)) == "devbox up"
    assert "stale" in text(status(stale=True))[1]


def test_what_is_saved_is_said_with_how_it_goes_on() -> None:
    saved = status(state="stopped", saved=True)
    assert text(saved)[1] == "state      stopped, saved: what ran goes on"
    assert (show.status_next(saved), show.status_next({**saved, "stale": True})) == ("devbox resume", "devbox up")
