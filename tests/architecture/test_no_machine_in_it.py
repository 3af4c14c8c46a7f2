"""What is committed works everywhere: no path, registry or tool of the machine that it was written on."""

import re

from tests.support.tree import files_to_be_committed, relative


def host(*labels: str) -> str:
    """Return a pattern for a host name that this very file must not have in it."""
    return r"\b" + r"\.".join(labels) + r"\b"


FORBIDDEN = [
    host("pypi", "org"),
    host("files", "pythonhosted", "org"),
    host("registry", "npmjs", "org"),
    host("registry", "yarnpkg", "com"),
    host("(deb|security|archive|snapshot|ftp)", "debian", "org"),
    host("(archive|security|ports)", "ubuntu", "com"),
    host("registry-1", "docker", "io"),
    host("proxy", "golang", "org"),
    "/" + "work" + "/",
    r"\bfarm" + r"-[a-z]+\b",
    r"\bissues" + r" (show|list|close)\b",
]


def test_nothing_names_the_machine_or_a_registry() -> None:
    pattern = re.compile("|".join(FORBIDDEN).encode())
    found = []
    for path in files_to_be_committed():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{relative(path)}:{number}: {match[0].decode()}")
    assert not found


def test_lock_files_have_hashes_and_no_registry() -> None:
    for path in files_to_be_committed():
        if "corpus" in path.parts:
            continue  # manifests that are looked at and never installed
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name == "package-lock.json":
            assert '"resolved"' not in text
            assert text.count('"integrity"') > 10
        if path.name == "requirements.txt":
            pins = re.findall(r"^[A-Za-z0-9._-]+==\S+ \\$", text, re.MULTILINE)
            assert pins
            assert len(re.findall(r"^[A-Za-z]", text, re.MULTILINE)) == len(pins), "every requirement is pinned"
            assert text.count("--hash=sha256:") >= len(pins)
