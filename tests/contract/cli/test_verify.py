"""The contract of `verify` and `export`, over the fake and the real engine."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.contract.cli.conftest import PROFILE, Done, FakeWorld, World
from tests.support.tars import member, tar

MARKED = PROFILE + '[[provision]]\nname = "mark"\nrun = "echo hello > /marked"\nwhen = "build"\n'
KEYS = {
    *("schema", "identical", "digest", "paths", "image", "reference", "recorded", "written", "comparisons", "machine"),
}


def images(fake: FakeWorld) -> set[str]:
    return set(fake.engine.image_store)


def test_a_manifest_is_written_and_compared_with(world: World) -> None:
    world.write(MARKED)
    first = world("verify", "--json")
    assert first.status == 0, first.stderr
    assert set(first.document) == KEYS
    assert (first.document["identical"], first.document["comparisons"]) == (None, [])
    assert first.document["machine"] is None, "it is a container"
    shown = world("verify", "--write", "ci.manifest")
    assert shown.stdout == f"{first.document['digest']} {first.document['reference']}\n"
    assert "next: have somebody else run: devbox verify --against ci.manifest" in shown.stderr
    text = (world.directory / "ci.manifest").read_text()
    assert text.startswith("devbox-manifest 1\n/bin dir 0755 0:0")
    assert text.count("\n") == first.document["paths"] + 1
    again = world("verify", "--against", "ci.manifest")
    assert (again.status, again.stdout) == (0, "identical\n")


def test_a_digest_is_recorded_in_the_lock_until_what_it_was_made_of_changes(world: World) -> None:
    world.write(MARKED)
    lock = world.directory / "devbox.lock"
    done = world("verify", "--record", "--json").document
    assert (done["recorded"], done["identical"]) == (True, None)
    assert f'content = "{done["digest"]}"' in lock.read_text()
    assert world("verify").stdout == "identical\n"
    assert [one["with"] for one in world("verify", "--json").document["comparisons"]] == ["devbox.lock"]
    assert world("verify", "--record", "--json").document["recorded"] is False
    lock.write_text(lock.read_text().replace(done["digest"], "sha256:" + "0" * 64))
    other = world("verify")
    assert (other.status, other.stdout) == (1, f"devbox.lock: another content, sha256:{'0' * 64}\n")
    assert other.stderr.endswith("a manifest from where it was recorded, says where it differs\n")
    world.write(MARKED.replace('shell = "sh"', 'shell = "/bin/sh"'))
    assert world("verify", "--json").document["comparisons"] == []
    assert "content" not in lock.read_text()


def test_what_differs_is_said_by_path_and_field(world: World) -> None:
    world.write(MARKED)
    assert world("verify", "--write", "ci.manifest").status == 0
    path = world.directory / "ci.manifest"
    path.write_text(path.read_text().replace("\n/bin dir 0755", "\n/bin dir 0700") + "/zzz dir 0755 0:0 - - - -\n")
    done = world("verify", "--against", "ci.manifest")
    assert (done.status, done.stdout.splitlines()) == (
        1,
        [
            "ci.manifest: 2 differences",
            "  /bin: mode: 0755 here, 0700 there",
            "  /zzz: presence: absent here, dir there",
        ],
    )
    (found,) = world("verify", "--against", "ci.manifest", "--json").document["comparisons"]
    assert (found["with"], found["identical"]) == ("ci.manifest", False)
    assert found["differences"] == [
        {"path": "/bin", "field": "mode", "ours": "0755", "theirs": "0700"},
        {"path": "/zzz", "field": "presence", "ours": "absent", "theirs": "dir"},
    ]


def test_a_second_build_is_compared_with_and_leaves_nothing(world: World) -> None:
    world.write(MARKED)
    first = world("build", "--json").document
    done = world("verify", "--rebuild", "--json")
    assert done.status == 0, done.stdout
    assert [(one["with"], one["identical"]) for one in done.document["comparisons"]] == [("a second build", True)]
    assert world("build", "--json").document["image"] == first["image"]
    assert world("verify", "--rebuild").stdout == "identical\n"


def test_the_images_of_a_second_build_are_gone_also_when_it_fails(fake: FakeWorld) -> None:
    fake.write(MARKED)
    assert fake("build").status == 0
    before = images(fake)
    fake.engine.on_export = lambda image: tar((member("random"), image.id.encode()))
    done = fake("verify", "--rebuild")
    assert done.status == 1
    assert re.search(r"^  /random: content: sha256:[0-9a-f]{12} here, sha256:[0-9a-f]{12} there$", done.stdout, re.M)
    assert images(fake) == before
    fake.engine.on_export = lambda image: b"no tar"
    done = fake("verify", "--json")
    assert (done.status, done.error) == (1, "engine-error")
    assert "breaks off" in done.document["error"]["message"]
    assert images(fake) == before
    assert fake.engine.container_store == {}


def test_of_many_differences_the_first_are_shown(fake: FakeWorld) -> None:
    fake.write()
    fake.engine.on_export = lambda image: tar(*(member(f"{number:03}") for number in range(60)))
    assert fake("verify", "--write", "all").status == 0
    fake.engine.on_export = lambda image: tar(member("000"))
    lines = fake("verify", "--against", "all").stdout.splitlines()
    assert lines[0] == "all: 59 differences"
    assert len(lines) == 52
    assert lines[-1] == "  and 9 more; --json has all of them"
    assert len(fake("verify", "--against", "all", "--json").document["comparisons"][0]["differences"]) == 59


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--against", "none"), "usage", "none cannot be read: no such file"),
        (("--against", "devbox.toml"), "manifest-invalid", 'devbox.toml:1: not a manifest: its first line is not "dev'),
        (("--write", "."), "usage", ". is a directory"),
        (("--write", "no/where"), "usage", "no/where lies in a directory that is not there"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_made(
    fake: FakeWorld, words: tuple[str, ...], code: str, says: str
) -> None:
    fake.write()
    before = images(fake)
    done = fake("verify", *words)
    assert (done.status, done.error) == (2, code)
    assert says in done.stderr
    assert images(fake) == before


def exported(world: World, *words: str) -> Done:
    done = world("export", "containerfile", *words)
    assert done.status == 0, done.stderr
    return done


def test_an_export_is_a_directory_or_a_file_with_the_same_in_it(world: World) -> None:
    world.write(MARKED)
    document = exported(world, "--json").document
    directory = world.directory / "containerfile"
    assert (document["path"], document["base"], document["secrets"]) == (str(directory.resolve()), None, [])
    assert document["files"] == sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    )
    assert "base.tar.gz" in document["files"]
    shown = exported(world, "-o", "shop.tar")
    assert shown.stdout == f"{(world.directory / 'shop.tar').resolve()}\n"
    with tarfile.open(world.directory / "shop.tar") as opened:
        for one in opened:
            file = opened.extractfile(one)
            assert file is not None
            assert file.read() == (directory / one.name).read_bytes()
        assert opened.getnames() == document["files"]
    exported(world, "-o", "containerfile")  # one of ours is replaced
    assert sorted(path.name for path in world.directory.iterdir()) == [
        "containerfile",
        "devbox.lock",
        "devbox.toml",
        "shop.tar",
    ]


def test_an_export_to_stdout_is_a_tar(fake: FakeWorld) -> None:
    fake.write(MARKED)
    done = fake("export", "containerfile", "-o", "-", "-q")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("Containerfile\0")
    assert len(done.stdout) > 2048


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing is named that is to be exported"),
        (("vagrantfile",), "there is no export 'vagrantfile'"),
        (("containerfile", "-o", "full"), "full is not empty"),
        (("containerfile", "-o", "devbox.toml"), "devbox.toml is a file"),
        (("containerfile", "-o", "no/where"), "not there"),
        (("containerfile", "-o", "-", "--json"), "beside a JSON document"),
    ],
)
def test_an_export_that_cannot_be_is_refused_before_anything_is_made(
    fake: FakeWorld, words: tuple[str, ...], says: str
) -> None:
    fake.write()
    (fake.directory / "full").mkdir()
    (fake.directory / "full" / "mine").write_text("")
    before = images(fake)
    done = fake("export", *words)
    text = done.stderr or json.dumps(done.document)
    assert (done.status, done.error) == (2, "usage")
    assert says in text
    assert images(fake) == before
    assert sorted(path.name for path in fake.directory.iterdir()) == ["devbox.toml", "full"]


def test_an_export_names_a_base_that_a_registry_has(fake: FakeWorld) -> None:
    digest = "registry.example/tiny@sha256:" + "c" * 64
    image = fake.engine.add_image("registry.example/tiny:1", env={"PATH": "/bin"})
    object.__setattr__(image, "digests", (digest,))
    fake.write(PROFILE.replace("devbox-test/tiny:1", "registry.example/tiny:1"))
    assert exported(fake, "--json").document["base"] == digest
    text = Path(fake.directory, "containerfile", "Containerfile").read_text()
    assert f"\nFROM {digest}\n" in text
