"""What a step's container says of what has changed, and the script that compares before it swaps."""

import subprocess
from pathlib import Path

import pytest

from devbox.build.layer import BRING, STATUS_CHANGED, Layer, archiving, brought, listed

SUM = "a" * 64


def test_a_list_is_read() -> None:
    found = listed(
        [
            *("d - /", "d - /etc/new", "n - /etc/new/a file"),
            *(f"m {SUM} /var/lib/dpkg/status", f"m {SUM} /etc/ld.so.cache", "whole"),
        ]
    )
    assert found == Layer(
        directories=("/etc/new",),
        new=("/etc/new/a file",),
        replaced=(("/var/lib/dpkg/status", SUM), ("/etc/ld.so.cache", SUM)),
    )


@pytest.mark.parametrize(
    "line",
    [
        "r - /usr/share/gone",
        "m - /usr/share/unknown",
        f"m {SUM} /usr/lib/libc.so.6",
        f"m {SUM} /usr/lib/libc.so",
        f"m {SUM} /usr/bin/tool",
        f"m {SUM} /usr/sbin/tool",
        f"m {SUM} /etc/a file",
        f"m {SUM} /etc/a\\file",
        "n - name-with-a-line-end",
        "x - /etc/new",
        "/etc/of-a-name",
        "",
    ],
)
def test_what_an_archive_cannot_say_makes_no_layer(line: str) -> None:
    assert listed(["n - /etc/new", line, "whole"]) is None


def test_a_list_that_is_not_whole_is_none() -> None:
    assert listed(["n - /etc/new"]) is None
    assert listed([]) is None


def test_a_shell_would_take_the_scripts(tmp_path: Path) -> None:
    layer = Layer(directories=("/d",), new=("/-n", "/a b", "/$(x)"), replaced=(("/etc/file", SUM),))
    size, _, script = brought(layer).partition(b"\n")
    assert int(size) == len(script)
    for text in (script.decode(), archiving(layer), BRING[-1]):
        file = tmp_path / "script"
        file.write_text(text)
        subprocess.run(["/bin/sh", "-n", str(file)], check=True)


def test_nothing_is_done_where_something_is_in_the_way(tmp_path: Path) -> None:
    """Of the scripts alone: the lock is the integration tests' matter."""
    there = tmp_path / "there"
    there.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    ways = [
        Layer(directories=(), new=(str(there),), replaced=()),
        Layer(directories=(), new=(str(link),), replaced=()),
        Layer(directories=(str(link),), new=(), replaced=()),
        Layer(directories=(str(there),), new=(), replaced=()),
        Layer(directories=(), new=(), replaced=((str(there), SUM),)),
        Layer(directories=(), new=(), replaced=((str(tmp_path / "gone"), SUM),)),
    ]
    shell = BRING[BRING.index("/bin/sh") :]
    for layer in ways:
        done = subprocess.run(shell, input=brought(layer), check=False)
        assert done.returncode == STATUS_CHANGED
    cut = subprocess.run(shell, input=b"12\n", check=False)
    assert cut.returncode != 0
