"""What the scripts of all steps share."""

import subprocess

import pytest

from devbox.build.steps.script import shell_argv

LINES = 'set -eu\nready=yes  \n{filler}\n[ $# = 0 ]\necho "$ready"\nfalse\necho on\n'


@pytest.mark.parametrize("length", [1, 30_000, 400_000])
def test_a_script_of_any_length_runs_as_it_is(length: int) -> None:
    text = LINES.format(filler="# " + "\N{SNOWMAN}" * length)
    done = subprocess.run(shell_argv(text), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "yes\n", "")
