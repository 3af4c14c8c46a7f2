import shutil
import subprocess
from pathlib import Path

import pytest

from devbox.ssh import entry
from devbox.ssh.entry import Entry, check_alias, entry_file, parse, proxy_command, render, with_include, without_include

PATTERN = "/home/a b/.local/state/devbox/s/*/ssh/config"
LINE = f'Include "{PATTERN}"'


def made(**changes: object) -> Entry:
    values: dict[str, object] = {
        "host": "shop.devbox",
        "key_alias": "devbox-shop-1a2b3c4d",
        "user": "dev",
        "proxy": ("/opt/devbox", "ssh-proxy", "--", "/srv/shop"),
        "known_hosts": "/state/known_hosts",
    }
    return Entry(**(values | changes))  # type: ignore[arg-type]


def read_by_ssh(tmp_path: Path, text: str, host: str = "shop.devbox") -> dict[str, str]:
    """What the real client makes of a configuration."""
    if shutil.which("ssh") is None:
        pytest.skip("needs ssh: apt-get install openssh-client")
    file = tmp_path / "config"
    file.write_text(text)
    done = subprocess.run(["ssh", "-G", "-F", str(file), host], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_ssh_takes_the_entry_as_it_is_meant(tmp_path: Path) -> None:
    found = read_by_ssh(tmp_path, render(made()))
    assert found["user"] == "dev"
    assert found["hostkeyalias"] == "devbox-shop-1a2b3c4d"
    assert found["stricthostkeychecking"] == "true"
    assert found["forwardagent"] == found["forwardx11"] == found["permitlocalcommand"] == "no"
    assert found["identitiesonly"] == "yes"
    assert found["userknownhostsfile"] == "/state/known_hosts"


@pytest.mark.parametrize(
    "place", ["/srv/a shop", "/srv/100%h", "/srv/it's", '/srv/a"b', "/srv/a\\b", "/srv/$(id)`id`;x", "/srv/~ü#é"]
)
def test_any_path_reaches_the_program_as_it_is(tmp_path: Path, place: str) -> None:
    shown = tmp_path / "shown"
    proxy = ("sh", "-c", f'printf "%s\\n" "$@" >"{shown}"', "sh", place)
    file = tmp_path / "config"
    file.write_text(render(made(proxy=proxy)))
    subprocess.run(["ssh", "-F", str(file), "shop.devbox"], capture_output=True, check=False)
    assert shown.read_text() == f"{place}\n"


HOSTILE = [
    "/srv/\\'\"(touch SPRUNG) #",
    "/srv/\\';touch SPRUNG;'",
    "/srv/$(touch SPRUNG)",
    "/srv/\\\\' !! \\",
    "/srv/a'\\''b",
]


@pytest.mark.parametrize("place", [*HOSTILE, "", "/srv/a b"])
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_a_directory_s_name_is_one_word_for_every_shell(tmp_path: Path, shell: str, place: str) -> None:
    """ssh gives a ProxyCommand to the user's own shell, and the name is chosen by a repository's author."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}: apt-get install {shell}")
    command = proxy_command(("printf", "[%s]", place)).replace("%%", "%")
    done = subprocess.run([shell, "-c", f"exec {command}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, list(tmp_path.iterdir())) == (f"[{place}]", [])


@pytest.mark.parametrize("place", ["/srv/a shop", "/srv/100%h", '/srv/a"b', "/srv/a\\b"])
def test_the_file_with_the_pinned_key_may_lie_anywhere(tmp_path: Path, place: str) -> None:
    found = read_by_ssh(tmp_path, render(made(known_hosts=f"{place}/known_hosts")))
    # -G shows the value before its %-tokens are expanded
    assert found["userknownhostsfile"].strip('"').replace("%%", "%") == f"{place}/known_hosts"


@pytest.mark.parametrize("place", ["/srv/a\nHost *", "/srv/a\rb", "/srv/\x7f"])
def test_what_no_configuration_can_hold_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        render(made(proxy=("devbox", place)))
    with pytest.raises(ValueError, match="control character"):
        render(made(known_hosts=place))
    with pytest.raises(ValueError, match="control character"):
        entry_file(made(), place)


@pytest.mark.parametrize("name", ["", "*", "a b", "-x", "a\nb", "!a", "a,b", "x" * 64, "é"])
def test_a_host_is_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        check_alias(name)


def test_a_written_file_tells_what_it_is() -> None:
    found = parse(entry_file(made(), "/srv/a shop"))
    assert found is not None
    assert (found.host, found.directory) == ("shop.devbox", "/srv/a shop")
    assert found.proxy.endswith("ssh-proxy -- /srv/shop")
    assert parse("Host shop.devbox\n") is None


USERS = [
    "",
    "Host *\n  ForwardAgent yes\n",
    "# mine\r\nHost a\r\n  User b\r\n",
    "Host a",  # no line end
    "\n\nHost b\n",
    "Include other\n\x0bHost caf\udce9\n",
]


@pytest.mark.parametrize("text", USERS)
def test_the_include_is_put_first_once_and_taken_out_without_a_trace(text: str) -> None:
    after = with_include(text, PATTERN)
    assert after.endswith(text)
    assert with_include(after, PATTERN) == after
    assert without_include(after, PATTERN) == text


def test_an_include_that_holds_for_one_host_alone_does_not_count() -> None:
    text = f"Host a\n  {LINE}\nHost b\n"
    after = with_include(text, PATTERN)
    assert after.splitlines()[1] == LINE
    assert after.count(LINE) == 1


def test_an_include_that_the_user_put_there_by_hand_is_enough() -> None:
    text = f"{LINE}\nHost a\n"
    assert with_include(text, PATTERN) == text


def test_the_entry_wins_over_what_the_user_has_for_all_hosts(tmp_path: Path) -> None:
    directory = tmp_path / "a b" / "s" / "1a2b3c4d" / "ssh"
    directory.mkdir(parents=True)
    (directory / "config").write_text(render(made()))
    text = with_include("Host *\n  ForwardAgent yes\n  Compression yes\n  User me\n", f"{tmp_path}/a b/s/*/ssh/config")
    found = read_by_ssh(tmp_path, text)
    assert (found["forwardagent"], found["compression"], found["user"]) == ("no", "no", "dev")
    assert read_by_ssh(tmp_path, text, "elsewhere")["user"] == "me"


def test_the_ciphers_are_known_to_ssh(tmp_path: Path) -> None:
    assert read_by_ssh(tmp_path, render(made()))["ciphers"] == entry._CIPHERS
