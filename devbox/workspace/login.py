"""What runs inside for `devbox shell`: a login environment, whatever shells the image has. Pure."""

from collections.abc import Sequence

SH = "/bin/sh"

# Shells that take `-l -c 'exec "$@"' name args`; a command never goes through another kind.
_POSIX = frozenset({"bash", "sh", "dash", "ash", "zsh", "ksh", "mksh"})

_LOGIN = (
    'devbox_s=$1; shift; command -v "$devbox_s" >/dev/null 2>&1 || devbox_s=bash; '
    'command -v "$devbox_s" >/dev/null 2>&1 || devbox_s=sh; '
    'SHELL=$(command -v "$devbox_s"); export SHELL; '
)
_INTERACTIVE = _LOGIN + 'exec "$SHELL" -l'
_COMMAND = _LOGIN + """exec "$SHELL" -l -c 'unset devbox_s; exec "$@"' "$devbox_s" "$@\""""
_TEXT = _LOGIN + 'exec "$SHELL" -c "$1"'


def login_argv(shell: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Return the command that runs `argv`, or an interactive `shell`, in a login environment.

    A shell that the image does not have becomes bash, and that sh.
    """
    if not argv:
        return (SH, "-c", _INTERACTIVE, "devbox", shell)
    chosen = shell if shell.rpartition("/")[2] in _POSIX else "bash"
    return (SH, "-c", _COMMAND, "devbox", chosen, *argv)


def run_argv(shell: str) -> tuple[str, ...]:
    """Return the command that lets `shell` run the text which is put behind it, as sshd has a command run.

    No login shell: what its start-up files print would end up in the stream of scp, rsync or git.
    """
    return (SH, "-c", _TEXT, "devbox", shell)
