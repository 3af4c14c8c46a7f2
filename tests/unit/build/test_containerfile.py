"""The Containerfile as text."""

from dataclasses import replace

import pytest

from devbox.build.containerfile import BASE, CERTIFICATES, FILE, MARK, RUNNER, containerfile
from devbox.build.recipe import ContextFile, Recipe, Step
from devbox.errors import ProfileError

PINNED = "registry.example/debian@sha256:" + "a" * 64
CONTEXT = (ContextFile(path="requirements.txt", digest="0" * 64),)
STEPS = (
    Step(name="prepare the base", key="base", script="mkdir\n", network=False, bare=True),
    Step(name="python packages", key="packages.python", script="pip\n", caches=("pip",), context=CONTEXT),
    Step(name="variables", key="env", script="", env=(("A", "1"),), network=False),
    Step(name="use it", key="provision[0]", script="use\n", secrets=("TOKEN",)),
)
RECIPE = Recipe(base="sha256:" + "b" * 64, steps=STEPS, env=(("PATH", "/bin"),))


def lines(recipe: Recipe = RECIPE, *, base: str | None = PINNED, certificates: bool = False) -> list[str]:
    text = containerfile(recipe, base=base, certificates=certificates).files[FILE]
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_step_gets_its_script_its_files_and_its_caches() -> None:
    assert lines() == [
        f"FROM {PINNED}",
        "USER 0:0",
        "WORKDIR /",
        'COPY ["steps/run-step", "steps/01-prepare-the-base.sh", "/run/devbox/"]',
        'RUN ["/bin/sh", "/run/devbox/run-step", "01-prepare-the-base"]',
        'COPY ["steps/run-step", "steps/02-python-packages.sh", "steps/02-python-packages.tar", "/run/devbox/"]',
        'RUN ["/bin/sh", "/run/devbox/run-step", "02-python-packages", "cache=pip"]',
        'ENV A="1"',
        'COPY ["steps/run-step", "steps/04-use-it.sh", "/run/devbox/"]',
        "RUN --mount=type=secret,id=TOKEN,target=/run/devbox/secrets/TOKEN"
        ' ["/bin/sh", "/run/devbox/run-step", "04-use-it", "secret=TOKEN"]',
        'RUN ["/bin/sh", "-c", "rm -rf /run/devbox/secrets"]',
        "ENTRYPOINT []",
        'CMD ["sleep", "infinity"]',
    ]
    made = containerfile(RECIPE, base=PINNED, certificates=False)
    assert sorted(made.files) == sorted(
        [FILE, RUNNER, "steps/01-prepare-the-base.sh", "steps/02-python-packages.sh", "steps/04-use-it.sh"]
    )
    assert made.files["steps/02-python-packages.sh"] == "pip\n"
    assert made.archives == {"steps/02-python-packages.tar": STEPS[1]}
    assert made.files[FILE].startswith(MARK + "\n")


def test_what_no_step_sets_is_set_last() -> None:
    assert lines(replace(RECIPE, variables=(("B", "2"),)))[-3:] == [
        'ENV B="2"',
        "ENTRYPOINT []",
        'CMD ["sleep", "infinity"]',
    ]
    with pytest.raises(ProfileError):
        lines(replace(RECIPE, variables=(("B", "2\n"),)))


def test_a_base_that_no_registry_has_is_an_archive_and_its_variables_are_set() -> None:
    assert lines(base=None)[:5] == ["FROM scratch", f"ADD {BASE} /", 'ENV PATH="/bin"', "USER 0:0", "WORKDIR /"]


def test_certificates_go_to_the_steps_that_use_the_network() -> None:
    with_them = [line for line in lines(certificates=True) if CERTIFICATES in line]
    assert len(with_them) == 2
    assert "02-python-packages.sh" in with_them[0]
    assert "04-use-it.sh" in with_them[1]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", '"plain"'),
        ("two words", '"two words"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("$HOME", '"\\$HOME"'),
        ("back\\slash\\", '"back\\\\slash\\\\"'),
        ("", '""'),
        ("ü # 'x'", "\"ü # 'x'\""),
    ],
)
def test_a_variable_means_what_it_is(value: str, written: str) -> None:
    recipe = replace(RECIPE, steps=(Step(name="variables", key="env", script="", env=(("A", value),)),))
    assert f"ENV A={written}" in lines(recipe)


def test_a_variable_of_two_lines_is_refused_by_name() -> None:
    recipe = replace(RECIPE, steps=(Step(name="variables", key="env", script="", env=(("A", "1\n2"), ("B", "3"))),))
    with pytest.raises(ProfileError) as caught:
        containerfile(recipe, base=PINNED, certificates=False)
    assert [problem.key for problem in caught.value.problems] == ["env.A"]


def test_a_name_of_a_step_cannot_become_an_instruction() -> None:
    recipe = replace(RECIPE, steps=(replace(STEPS[0], name="x\nRUN evil\u202e"),))
    assert not [line for line in lines(recipe) if "evil" in line and not line.startswith(("COPY", 'RUN ["/bin/sh"'))]
