"""A running Environment that is brought to another Lock, in place."""

from collections import deque
from typing import Final

from devbox.build.live import live_scripts
from devbox.build.steps.script import shell_argv
from devbox.errors import DevboxError
from devbox.profile.lock import Platform
from devbox.runtimes.base import ExecSpec, Instance
from devbox.values import GuestUser
from devbox.workspace.capture import stream_lines

_TAIL: Final = 20  # lines of a failure of which the last is shown


def change_in_place(instance: Instance, user: GuestUser, before: Platform, after: Platform) -> str:
    """Run what leads from `before` to `after` inside; return why that failed, empty if it did not.

    What was half done is left: the Environment is then to be made anew.
    """
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        for one in live_scripts(before, after, user):
            spec = ExecSpec(argv=shell_argv(one.script), user=one.user, workdir="/", stdin=False)
            status = stream_lines(instance, spec, tail.append)
            if status:
                last = next((line for line in reversed(tail) if line.strip()), "")
                return f"exit code {status}: {last}"
    except DevboxError as error:
        return error.message
    return ""
