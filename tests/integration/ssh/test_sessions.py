"""Shells, commands and files by the real client."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from tests.support.ssh_client import Client, require

RANDOM = os.urandom(10 * 1024 * 1024)


def gone(pid: int) -> bool:
    """Whether a process has ended, waiting a while for it."""
    for _ in range(300):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("code", [0, 1, 7, 126, 127, 255])
def test_the_exit_code_is_the_commands(ssh: Client, code: int) -> None:
    ssh(f"exit {code}", status=code)


def test_a_command_goes_through_the_users_shell_in_the_projects_directory(ssh: Client, inside: Path) -> None:
    done = ssh('pwd; echo "$0 $(( 2 + 2 ))"; echo oops >&2; echo $USER')
    assert done.stdout.decode().splitlines()[0] == str(inside)
    assert done.stdout.decode().splitlines()[1].endswith("bash 4")
    assert done.stdout.decode().splitlines()[2] == "dev"
    assert done.stderr == b"oops\n"


def test_ten_mebibytes_go_in_and_out_as_they_are(ssh: Client) -> None:
    assert ssh("cat", stdin=RANDOM).stdout == RANDOM


def test_both_streams_come_whole(ssh: Client) -> None:
    done = ssh("head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 2_000_000)


def test_a_process_that_a_signal_ends_is_told_as_one(ssh: Client) -> None:
    ssh("kill -KILL $$", status=255)  # what OpenSSH's client makes of exit-signal


def test_what_the_client_may_set_is_set_and_nothing_else(ssh: Client) -> None:
    options = ("-o", "SetEnv=LC_TEST=x LD_PRELOAD=/nope", "HOST")
    assert ssh(*options, "echo $LC_TEST-$LD_PRELOAD-${SSH_CONNECTION%% *}").stdout == b"x--127.0.0.1\n"


def test_a_user_that_is_not_there_is_said(ssh: Client) -> None:
    done = ssh("-l", "nobody-here", "HOST", "true", status=126)
    assert b"there is no user nobody-here inside; yours is dev" in done.stderr


def test_a_client_that_is_killed_takes_its_process_with_it(ssh: Client) -> None:
    client = ssh.start("echo $$; exec sleep 1000", stdout=subprocess.PIPE)
    assert client.stdout is not None
    with client.stdout:
        pid = int(client.stdout.readline())
        client.send_signal(signal.SIGKILL)
        client.wait()
    assert gone(pid)


def test_a_server_that_a_command_leaves_behind_goes_on(ssh: Client) -> None:
    pid = int(ssh("setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!").stdout)
    try:
        assert ssh(f"kill -0 {pid} && echo there").stdout == b"there\n"
    finally:
        os.kill(pid, signal.SIGKILL)


def test_many_at_once(ssh: Client) -> None:
    clients = [ssh.start(f"cat; exit {number}", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for number in range(8)]
    done = [client.communicate(bytes([65 + number]) * 100_000) for number, client in enumerate(clients)]
    assert [out for out, _ in done] == [bytes([65 + number]) * 100_000 for number in range(8)]
    assert [client.returncode for client in clients] == list(range(8))


def test_one_connection_can_be_shared(ssh: Client, tmp_path: Path) -> None:
    control = f"ControlPath={tmp_path}/c"
    master = ssh.start("-M", "-N", "-o", control, "HOST")
    try:
        while not (tmp_path / "c").exists():
            assert master.poll() is None
            time.sleep(0.02)
        for number in range(5):
            assert ssh("-o", control, "HOST", f"cat; exit {number}", stdin=b"x" * 100_000, status=number).stdout
    finally:
        ssh.run(ssh.argv("-o", control, "-O", "exit", ssh.host), status=None)
        master.wait(timeout=20)


def test_a_host_key_that_is_not_the_pinned_one_is_refused(ssh: Client, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("devbox-test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n")
    done = ssh("-o", f"UserKnownHostsFile={known}", "HOST", "true", status=255)
    assert b"HOST IDENTIFICATION HAS CHANGED" in done.stderr
    known.write_text("")
    assert (
        b"Host key verification failed" in ssh("-o", f"UserKnownHostsFile={known}", "HOST", "true", status=255).stderr
    )


def test_a_terminal_is_one(ssh: Client) -> None:
    argv = ssh.argv("-tt", ssh.host)
    child = pexpect.spawn(argv[0], argv[1:], timeout=20, dimensions=(31, 97), env={**ssh.env, "TERM": "xterm-256color"})
    try:
        child.sendline("PS1='ready> '; stty size; echo $TERM; shopt -q login_shell && echo a login shell")
        child.expect("31 97\r\n")
        child.expect("xterm-256color\r\n")
        child.expect("a login shell\r\n")
        child.setwinsize(20, 60)
        child.sendline("sh -c 'echo run\"\"ning; exec sleep 1000'")
        child.expect("running\r\n")  # a shell that is just about to start something takes the key for itself
        child.sendcontrol("c")
        child.sendline("stty size; echo done-$?")
        child.expect("20 60\r\n")
        child.expect("done-0\r\n")
        child.sendline("exit 7")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 7
    finally:
        child.close(force=True)


def test_the_clients_terminal_modes_are_those_inside(ssh: Client) -> None:
    argv = ["sh", "-c", 'stty erase ^H -echoe; exec "$@"', "sh", *ssh.argv("-tt", ssh.host, "stty -a; sleep 0")]
    child = pexpect.spawn(argv[0], argv[1:], timeout=20)
    try:
        shown = child.read().decode()
        assert "erase = ^H" in shown
        assert "-echoe" in shown
    finally:
        child.close(force=True)


def test_files_by_scp_both_ways(ssh: Client, inside: Path, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(RANDOM)
    ssh.run(ssh.argv(str(tmp_path / "up"), f"{ssh.host}:a file", program="scp"))
    assert (inside / "a file").read_bytes() == RANDOM
    ssh.run(ssh.argv(f"{ssh.host}:{inside}/a file", str(tmp_path / "down"), program="scp"))
    assert (tmp_path / "down").read_bytes() == RANDOM


def test_a_tree_by_scp_and_the_old_protocol_with_scp_inside(ssh: Client, inside: Path, tmp_path: Path) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "x").write_text("x")
    ssh.run(ssh.argv("-rp", str(tmp_path / "tree"), f"{ssh.host}:", program="scp"))
    assert (inside / "tree" / "below" / "x").read_text() == "x"
    ssh.run(ssh.argv("-O", str(tmp_path / "tree" / "below" / "x"), f"{ssh.host}:old", program="scp"))
    assert (inside / "old").read_text() == "x"


def test_sftp(ssh: Client, inside: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    made = "mkdir dir\nrename one dir/two\nchmod 640 dir/two\nls -l dir"
    batch = f"pwd\nput {tmp_path}/x one\n{made}\nget dir/two {tmp_path}/y\n"
    done = ssh.run(ssh.argv("-b", "-", ssh.host, program="sftp"), stdin=batch.encode())
    assert f"Remote working directory: {inside}" in done.stdout.decode()
    assert (tmp_path / "y").read_text() == "x"
    assert (inside / "dir" / "two").stat().st_mode & 0o777 == 0o640
    failed = ssh.run(ssh.argv("-b", "-", ssh.host, program="sftp"), b"get nope\n", status=1)
    assert b"not found" in failed.stderr


def test_rsync(ssh: Client, inside: Path, tmp_path: Path) -> None:
    require("rsync", "rsync")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "big").write_bytes(RANDOM)
    (tmp_path / "tree" / "a b").write_text("1")
    shell = f"ssh -F '{ssh.config}'"
    ssh.run(["rsync", "-a", "-e", shell, f"{tmp_path}/tree/", f"{ssh.host}:copy/"])
    assert (inside / "copy" / "big").read_bytes() == RANDOM
    (inside / "copy" / "a b").write_text("22")
    ssh.run(["rsync", "-a", "-e", shell, f"{ssh.host}:copy/", f"{tmp_path}/tree/"])
    assert (tmp_path / "tree" / "a b").read_text() == "22"


def test_git(ssh: Client, inside: Path, tmp_path: Path) -> None:
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main")
    subprocess.run([*git, "init", "-q", str(inside)], check=True)
    (inside / "file").write_text("1\n")
    subprocess.run([*git, "-C", str(inside), "add", "."], check=True)
    subprocess.run([*git, "-C", str(inside), "commit", "-qm", "one"], check=True)
    client = Client(config=ssh.config, host=ssh.host, env={**ssh.env, "GIT_SSH_COMMAND": f"ssh -F '{ssh.config}'"})
    clone = tmp_path / "clone"
    client.run(["git", "clone", "-q", f"{ssh.host}:{inside}", str(clone)])
    assert (clone / "file").read_text() == "1\n"
    (clone / "file").write_text("2\n")
    client.run([*git, "-C", str(clone), "commit", "-qam", "two"])
    client.run([*git, "-C", str(clone), "push", "-q", "origin", "HEAD:other"])
    assert subprocess.check_output(["git", "-C", str(inside), "show", "other:file"]) == b"2\n"
