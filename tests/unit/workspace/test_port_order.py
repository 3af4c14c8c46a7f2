import pytest

from devbox.errors import UsageError
from devbox.workspace.port_order import Order, parse


@pytest.mark.parametrize(
    ("text", "name", "guest", "host", "protocol"),
    [
        ("web", "web", None, None, None),
        ("web:9000", "web", None, 9000, None),
        ("8000", "8000", 8000, None, None),
        ("8000:9000", "8000", 8000, 9000, None),
        ("8000:0", "8000", 8000, 0, None),
        ("53/udp", "53", 53, None, "udp"),
        ("53:5353/udp", "53", 53, 5353, "udp"),
        ("80:8080/tcp", "80", 80, 8080, "tcp"),
    ],
)
def test_a_port_can_be_written_as(
    text: str, name: str, guest: int | None, host: int | None, protocol: str | None
) -> None:
    assert parse(text) == Order(name=name, guest=guest, host=host, protocol=protocol)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "/",
        "0",
        "65536",
        "-1",
        "8000:",
        "8000:x",
        "8000:65536",
        "8000:9000:1",
        "1/sctp",
        "1/",
        "8000/udp:1",
    ],
)
def test_anything_else_is_said_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.hint
