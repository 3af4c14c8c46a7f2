"""A project and a user's home of the test's own, so that no profile of the real user counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devbox.errors import Problem, ProfileError
from devbox.profile.load import Loaded, load

Load = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def project(home: Path) -> Path:
    project = home / "code" / "shop"
    project.mkdir(parents=True)
    return project


@pytest.fixture
def loaded(project: Path) -> Load:
    """Load the given text as the project's devbox.toml."""

    def run(text: str, **options: object) -> Loaded:
        (project / "devbox.toml").write_text(text, encoding="utf-8")
        return load(project, **{"environ": {}, **options})  # type: ignore[arg-type]

    return run


@pytest.fixture
def refused(loaded: Load) -> Callable[..., tuple[Problem, ...]]:
    """Load what must be refused and return its problems."""

    def run(text: str, **options: object) -> tuple[Problem, ...]:
        with pytest.raises(ProfileError) as caught:
            loaded(text, **options)
        assert caught.value.problems
        return caught.value.problems

    return run
