"""What a client, an sftp client and the author of an image may say to the agent, in pieces that nobody thought of."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.agent.seeds import seeds
from tests.support.agent_fuzz import CORPUS, fuzzer, replayer, sanitized
from tests.support.tree import ROOT

MINUTES = 5
INPUT_MOST = 140_000  # bytes: two large frames


def test_the_seeds_are_what_the_encoder_says_now() -> None:
    for name, data in seeds().items():
        assert (CORPUS / name).read_bytes() == data, "run: python -m tests.fuzz.agent.seeds"


def test_nothing_of_the_corpus_is_undefined_or_left_open(tmp_path: Path) -> None:
    corpus = sorted(str(path) for path in CORPUS.iterdir())
    done = subprocess.run([replayer(tmp_path), *corpus], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.splitlines()[-1:]
    assert done.stderr.splitlines() == corpus


@pytest.fixture
def clang() -> None:
    if shutil.which("clang") is None:
        pytest.skip("needs clang: apt-get install clang libclang-rt-dev")


@pytest.mark.nightly
def test_the_agent_keeps_its_contract_under_the_sanitizers(clang: None, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("leak:drain_start\n")  # what is left at the end: epoll alone has the pointer
    environment = {
        **os.environ,
        "DEVBOX_TEST_AGENT": str(sanitized(tmp_path)),
        "LSAN_OPTIONS": f"suppressions={known}:print_suppressions=0",
        "ASAN_OPTIONS": f"log_path={tmp_path}/said",
    }
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "tests/contract/agent")]
    argv += ["-k", "not does_not_make_the_agent_grow and not never_reads"]  # these measure memory, which is theirs now
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert [path.read_text(errors="replace") for path in tmp_path.glob("said.*")] == []
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.nightly
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_five_minutes_of_anything(clang: None, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    grown.mkdir()
    limits = [f"-max_total_time={MINUTES * 60}", f"-max_len={INPUT_MOST}", "-timeout=10", "-rss_limit_mb=1024"]
    found = Path(os.environ.get("DEVBOX_TEST_FOUND") or tmp_path)  # where an input that fails is to be kept
    argv = [str(fuzzer(tmp_path)), *limits, f"-artifact_prefix={found}/", str(grown), str(CORPUS)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-4000:]
