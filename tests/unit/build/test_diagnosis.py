"""What is read from the last words of package managers; the words are theirs."""

import pytest

from devbox.build.diagnosis import diagnose

APT_REFUSED = """\
Ign:1 http://mirror.example/debian bookworm InRelease
Err:1 http://mirror.example/debian bookworm InRelease
  Could not connect to mirror.example:80 (192.0.2.1). - connect (111: Connection refused)
Reading package lists...
E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  Could not connect to mirror.example:80
E: Some index files failed to download. They have been ignored, or old ones used instead.
E: Unable to locate package jq"""
APT_TIMED_OUT = """\
E: Failed to fetch http://user:pw@mirror.example/debian/pool/j/jq.deb  Connection timed out [IP: 192.0.2.1 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"""
APT_NO_NAME = "  Temporary failure resolving 'mirror.example'"
PIP_OLD = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<HTTPSConnection object>: \
Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/flask/
ERROR: Could not find a version that satisfies the requirement flask (from versions: none)
ERROR: No matching distribution found for flask"""
PIP_OWN_INDEX = "Looking in indexes: https://index.example/simple\n" + PIP_OLD
PIP_READ = "urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='files.example', port=443): Read timed out."
NPM = "npm ERR! network request to https://npm.example/ms failed, reason: connect ECONNREFUSED 192.0.2.1:443"
GIT = "fatal: unable to access 'https://git.example/a.git/': Could not resolve host: git.example"
APK = "WARNING: fetching https://apk.example/alpine/v3.20/main: temporary error (try again later)"
SSH = "ssh: connect to host git.example port 22: Connection refused"


@pytest.mark.parametrize(
    ("output", "host"),
    [
        (APT_REFUSED, "mirror.example:80"),
        (APT_TIMED_OUT, "mirror.example"),
        (APT_NO_NAME, "mirror.example"),
        (PIP_OLD, "the Python package index"),
        (PIP_OWN_INDEX, "index.example"),
        (PIP_READ, "files.example"),
        (NPM, "npm.example"),
        (GIT, "git.example"),
        (APK, "apk.example"),
        (SSH, "git.example"),
        ("  cause: error sending request for url (https://user:pw@uv.example/simple/flask/)", "uv.example"),
        ("curl: (7) Failed to connect to a.example port 443 after 0 ms: Couldn't connect to server", "a.example"),
        ("curl: (6) Could not resolve host: a.example", "a.example"),
    ],
)
def test_a_host_that_does_not_answer_is_named(output: str, host: str) -> None:
    found = diagnose(output.split("\n"))
    assert found is not None
    assert found.why == f"no answer from {host}"
    assert "network" in found.hint
    assert "pw" not in found.why


APT_MISSING = """\
Hit:1 http://mirror.example/debian bookworm InRelease
Get:2 http://mirror.example/debian-security bookworm-security InRelease [34.8 kB]
E: Unable to locate package nope"""


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (
            APT_MISSING,
            "nope is not to be had from the base's package archive (apt): http://mirror.example/debian bookworm, "
            "http://mirror.example/debian-security bookworm-security",
        ),
        (
            "E: Version '1.2.3' for 'curl' was not found",
            "curl=1.2.3 is not to be had from the base's package archive (apt)",
        ),
        (
            "E: Package 'mailx' has no installation candidate",
            "mailx is not to be had from the base's package archive (apt)",
        ),
        ("  nope (no such package):", "nope is not to be had from the base's package repositories (apk)"),
        ("Error: Unable to find a match: nope", "nope is not to be had from the base's package repositories (dnf)"),
        (
            "ERROR: No matching distribution found for nope==99",
            "nope==99 is not to be had from the Python package index",
        ),
        (
            "  cause: Because nope was not found in the package registry and you require nope>=1, we can conclude",
            "nope is not to be had from the Python package index",
        ),
        (
            "  cause: Because there is no version of nope==99 and you require nope==99, we can conclude",
            "nope==99 is not to be had from the Python package index",
        ),
        ("npm ERR! 404  'nope@^1.0.0' is not in this registry.", "nope@^1.0.0 is not to be had from the npm registry"),
        ("npm ERR! notarget No matching version found for ms@99.", "ms@99 is not to be had from the npm registry"),
    ],
)
def test_an_index_that_lacks_a_package_is_named(output: str, why: str) -> None:
    found = diagnose(output.split("\n"))
    assert found is not None
    assert found.why == why


def test_an_old_version_is_said_to_have_gone() -> None:
    found = diagnose(["E: Version '1.2.3' for 'curl' was not found"])
    assert found is not None
    assert "newest version alone" in found.hint


@pytest.mark.parametrize(
    "output",
    ["E: Failed to fetch http://m.example/x.deb  Hash Sum mismatch", "npm ERR! code EINTEGRITY"],
)
def test_an_altered_download_is_said(output: str) -> None:
    found = diagnose([output])
    assert found is not None
    assert "cut short or altered" in found.why


@pytest.mark.parametrize("output", ["", "exit 3", "make: *** [all] Error 2", "psql: could not connect to server"])
def test_what_is_not_known_is_not_guessed_at(output: str) -> None:
    assert diagnose(output.split("\n")) is None
