from devbox.ssh.entry import proxy_command
from devbox.workspace.ssh_config import brings_up


def test_what_an_entry_does_is_not_read_from_the_name_of_a_directory() -> None:
    for name in ("a", "a --up b", "ssh-proxy --up -- b"):
        assert not brings_up(proxy_command(("env", "A=1", "/opt/devbox", "ssh-proxy", "--", f"/srv/{name}")))
        assert brings_up(proxy_command(("/opt/devbox", "ssh-proxy", "--up", "--", f"/srv/{name}")))
