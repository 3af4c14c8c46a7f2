"""Python's share in a Recipe, as a value."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.python import python
from devbox.build.recipe import Step
from devbox.errors import ToolchainError
from tests.support.build import DEBIAN, PATH, setting


def test_a_profile_without_python_has_no_share(tmp_path: Path) -> None:
    assert python(setting(tmp_path)) is None


def test_the_share_has_the_environment_before_the_bases_own_tools(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask==3.0\n")
    part = python(setting(tmp_path, packages={"python": {"requirements": ["requirements.txt"]}}))
    assert part is not None
    assert part.system == ("python3", "python3-venv")
    assert (part.path, part.env) == (("/opt/venv/bin",), (("VIRTUAL_ENV", "/opt/venv"),))
    step = part.chain[-1]
    assert isinstance(step, Step)
    assert step.name == "python packages"
    assert step.env == ()


def test_an_image_that_brings_python_needs_no_package(tmp_path: Path) -> None:
    own = replace(DEBIAN, env=(("PATH", PATH), ("PYTHON_VERSION", "3.12.4")))
    part = python(setting(tmp_path, base=own, packages={"python": {}}))
    assert part is not None
    assert part.system == ()


def test_a_version_that_the_base_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"holds Python 3\.11\.2, not 3\.9"):
        python(setting(tmp_path, packages={"python": {"version": "3.9"}}))
