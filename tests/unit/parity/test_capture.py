import hashlib
import tarfile

import pytest

from devbox.parity.capture import View, capture, without_engine
from devbox.parity.compare import compare
from devbox.parity.manifest import Entry, Manifest
from devbox.parity.noise import NOISE, Treatment, treatment
from devbox.tarstream import TarStreamError
from tests.support.tars import directory, in_pieces, link, member, tar

ADA = View(directory="/workspaces/shop", user="dev", uid=1000, gid=1000)
BOB = View(directory="/workspaces/my shop (2)", user="dev", uid=501, gid=20)
ROOT = View(directory="/workspaces/shop", user="root", uid=0, gid=0)


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def taken(view: View, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> Manifest:
    return capture(in_pieces(tar(*members), 1000), view)


def by_path(manifest: Manifest) -> dict[str, Entry]:
    return {entry.path: entry for entry in manifest.entries}


def test_every_kind_of_path() -> None:
    found = taken(
        ADA,
        directory("etc", mode=0o750, gid=5),
        (member("etc/file", mode=0o4755), b"content"),
        link("etc/hard", "etc/file", hard=True),
        link("etc/link", "../file"),
        member("zero", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("pipe", type=tarfile.FIFOTYPE, mode=0o600),
    )
    file = Entry(path="/etc/file", kind="file", mode="4755", owner="0:0", size=7, content=sha(b"content"))
    assert list(found.entries) == [
        Entry(path="/etc", kind="dir", mode="0750", owner="0:5"),
        file,
        Entry(path="/etc/hard", kind="file", mode="4755", owner="0:0", size=7, content=sha(b"content")),
        Entry(path="/etc/link", kind="link", mode="-", owner="0:0", target="../file"),
        Entry(path="/pipe", kind="pipe", mode="0600", owner="0:0"),
        Entry(path="/zero", kind="char", mode="0644", owner="0:0", target="1:5"),
    ]


def test_the_order_of_the_stream_and_its_own_top_do_not_matter() -> None:
    one = taken(ADA, directory("./"), directory("a"), (member("a/b"), b"1"), (member("a.c"), b"2"))
    other = taken(ADA, (member("a.c"), b"2"), directory("a"), (member("a/b"), b"1"))
    assert one.text == other.text


def of_somebody(view: View, passwd: str, group: str) -> Manifest:
    place = view.directory.strip("/")
    owner = {"uid": view.uid, "gid": view.gid}
    return taken(
        view,
        directory(place, **owner),
        (member(f"{place}/node_modules", **owner), f"built in {view.directory}/node_modules\n".encode()),
        link("opt/venv/project", f"{view.directory}/src"),
        (member("etc/passwd"), passwd.encode()),
        (member("etc/group"), group.encode()),
    )


def test_two_people_with_other_ids_and_other_directories_have_the_same() -> None:
    root = "root:x:0:0:root:/root:/bin/bash\n"
    ada = of_somebody(ADA, root + "dev:x:1000:1000::/home/dev:/bin/bash\n", "root:x:0:\ndialout:x:20:\ndev:x:1000:\n")
    bob = of_somebody(BOB, root + "dev:x:501:20::/home/dev:/bin/bash\n", "root:x:0:\ndialout:x:20:\n")
    assert compare(ada, bob) == ()
    assert by_path(ada)["/workspaces/{directory}/node_modules"].owner == "user"
    other = of_somebody(BOB, root + "dev:x:501:20::/home/dev:/bin/sh\n", "root:x:0:\ndialout:x:20:\n")
    assert [difference.path for difference in compare(bob, other)] == ["/etc/passwd"]


def test_the_name_of_another_directory_that_begins_the_same_stays() -> None:
    found = by_path(taken(ADA, (member("a"), b"/workspaces/shop-2"), (member("b"), b"/workspaces/shop:x")))
    assert found["/a"].content == sha(b"/workspaces/shop-2")
    assert found["/b"].content == sha(b"/workspaces/{directory}:x")


def test_the_user_with_another_group_and_root() -> None:
    members = (member("a", uid=1000, gid=8), member("b", uid=0, gid=1000), member("c", uid=1001, gid=1000))
    assert [entry.owner for entry in taken(ADA, *members).entries] == ["user:8", "0:1000", "1001:1000"]
    assert [entry.owner for entry in taken(ROOT, member("a"), *members[1:]).entries] == ["0:0", "0:1000", "1001:1000"]


def test_a_large_file_is_hashed_in_pieces() -> None:
    data = b"0123456789abcdef" * 2**20
    (entry,) = capture(in_pieces(tar((member("big"), data)), 2**20), ADA).entries
    assert (entry.size, entry.content) == (len(data), sha(data))


def test_noise_is_dropped_or_its_content_is() -> None:
    found = by_path(
        taken(
            ADA,
            (member(".dockerenv"), b""),
            directory("dev"),
            member("dev/console", type=tarfile.CHRTYPE),
            (member("etc/hostname"), b"0123456789ab\n"),
            (member("etc/hostnames"), b"kept"),
            directory("var/log/apt"),
            (member("var/log/apt/history.log"), b"today"),
            (member("var/lib/dpkg/status-old"), b"yesterday"),
            (member("etc/ssh/ssh_host_rsa_key", mode=0o600), b"random"),
        )
    )
    assert list(found) == ["/dev", "/etc/hostnames", "/etc/ssh/ssh_host_rsa_key", "/var/log/apt"]
    key = found["/etc/ssh/ssh_host_rsa_key"]
    assert (key.mode, key.size, key.content) == ("0600", None, "noise")


@pytest.mark.parametrize("noise", NOISE, ids=lambda noise: noise.pattern)
def test_a_pattern_fits_what_it_says_and_nothing_beside_it(noise: object) -> None:
    pattern, wanted = noise.pattern, noise.treatment  # type: ignore[attr-defined]
    example = pattern.replace("/**", "/some/thing").replace("*", "some")
    assert treatment(example) is wanted
    assert treatment(example + "/below") is (wanted if pattern.endswith("/**") else None)
    assert treatment("/srv" + example) is None


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(TarStreamError, match="hard link"):
        taken(ADA, link("a", "b", hard=True))


def test_a_stream_without_what_the_engine_puts_there() -> None:
    data = tar(
        directory("dev"),
        member("dev/console", type=tarfile.CHRTYPE),
        (member(".dockerenv"), b""),
        (member("a" * 150, mtime=999), b"x" * 700),
        link("etc/mtab", "/proc/mounts"),
        (member("etc/x", mtime=1001), b"y"),
    )
    left = b"".join(without_engine(in_pieces(data, 333), epoch=1000))
    wanted = (directory("dev"), (member("a" * 150, mtime=999), b"x" * 700), (member("etc/x", mtime=1000), b"y"))
    assert left == tar(*wanted)[: len(left)]
    assert capture([left], ADA) == capture([data], ADA)


def test_both_treatments_are_used() -> None:
    assert {noise.treatment for noise in NOISE} == set(Treatment)
