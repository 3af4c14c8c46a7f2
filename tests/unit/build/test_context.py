"""What a step is given: the same bytes for the same content, and never something else than was planned."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.context import Delivery, stream
from devbox.build.inputs import Inputs
from devbox.build.manifests import read_inputs
from devbox.errors import BuildFailedError
from tests.support.build import nothing, profile


def members(delivery: Delivery, inputs: Inputs) -> dict[str, tarfile.TarInfo]:
    data = b"".join(stream(delivery, inputs))
    assert len(data) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def planned(directory: Path) -> tuple[Delivery, Inputs]:
    (directory / "conf/sub").mkdir(parents=True)
    (directory / "conf/run.sh").write_text("#!/bin/sh\n")
    (directory / "conf/run.sh").chmod(0o775)
    (directory / "conf/sub" / ("n" * 200)).write_text("long")
    (directory / "conf/link").symlink_to("run.sh")
    inputs = read_inputs(profile(provision=[{"copy": {"from": "conf", "to": "/srv"}, "when": "build"}]), directory)
    return Delivery(files=inputs.group("provision[0]"), epoch=1_000_000_000), inputs


def test_members_are_sorted_dated_and_roots(tmp_path: Path) -> None:
    delivery, inputs = planned(tmp_path)
    found = members(delivery, inputs)
    assert list(found) == [
        "context/conf",
        "context/conf/sub",
        "context/conf/link",
        "context/conf/run.sh",
        "context/conf/sub/" + "n" * 200,
    ]
    assert {(member.mtime, member.uid, member.gid) for member in found.values()} == {(1_000_000_000, 0, 0)}
    assert oct(found["context/conf/run.sh"].mode) == "0o755"
    assert found["context/conf/link"].linkname == "run.sh"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for directory in (one, two):
        directory.mkdir()
    first, second = planned(one), planned(two)
    assert b"".join(stream(*first)) == b"".join(stream(*second))


def test_secrets_and_certificates_travel_beside_the_files(tmp_path: Path) -> None:
    delivery = Delivery(secrets={"TOKEN": "s3cret\n"}, ca_bundle=b"-----BEGIN")
    found = members(delivery, nothing(tmp_path))
    assert list(found) == ["ca.pem", "ca.jks", "secrets/TOKEN"]
    assert found["secrets/TOKEN"].size == 7
    assert oct(found["secrets/TOKEN"].mode) == "0o600"


def test_texts_of_the_plan_lie_beside_the_files_and_may_be_long(tmp_path: Path) -> None:
    delivery, inputs = planned(tmp_path)
    lock = "a line of a lock file\n" * 20_000  # a command line could not hold it
    found = members(replace(delivery, texts=(("made/Cargo.lock", lock),)), inputs)
    assert list(found)[-1] == "context/made/Cargo.lock"
    assert found["context/made"].isdir()
    assert found["context/made/Cargo.lock"].size == len(lock)
    assert not Delivery(texts=(("a", ""),)).empty


def test_a_secret_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(Delivery(secrets={"TOKEN": "s3cret"}))


@pytest.mark.parametrize("content", ["#!/bin/bad", "#!/bin/sh\nmore", ""])
def test_a_file_that_changed_since_stops_the_step(tmp_path: Path, content: str) -> None:
    delivery, inputs = planned(tmp_path)
    (tmp_path / "conf/run.sh").write_text(content)
    with pytest.raises(BuildFailedError, match=r"conf/run\.sh changed"):
        list(stream(delivery, inputs))


def test_a_file_that_became_a_link_out_stops_the_step(tmp_path: Path) -> None:
    delivery, inputs = planned(tmp_path)
    (tmp_path / "conf/run.sh").unlink()
    (tmp_path / "conf/run.sh").symlink_to("/etc/passwd")
    with pytest.raises(BuildFailedError, match="changed"):
        list(stream(delivery, inputs))
