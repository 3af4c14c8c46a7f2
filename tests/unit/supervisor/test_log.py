from pathlib import Path

from devbox.supervisor.log import MOST, OLDER, Log


def test_lines_have_a_time_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "log"))
    log.say("one\x1b[2J\ntwo")
    log.close()
    (found,) = (tmp_path / "log").read_text().splitlines()
    assert found.endswith("Z one\\x1b[2J\\x0atwo")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_it_is_bounded(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "log"))
    for number in range(100):
        log.say(f"{number} " + "x" * (MOST // 20))
    log.close()
    sizes = [(tmp_path / name).stat().st_size for name in ("log", f"log{OLDER}")]
    assert max(sizes) < MOST * 1.1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", f"log{OLDER}"]
    assert "99 xxx" in (tmp_path / "log").read_text() + (tmp_path / f"log{OLDER}").read_text()
