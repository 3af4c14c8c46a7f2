"""What each language's tools write, in the profile's own grammar."""

import pytest

from devbox.profile.detect import grammars
from devbox.profile.detect.grammars import Grammar
from devbox.profile.toolchains.constraint import overlap, parse


@pytest.mark.parametrize(
    ("grammar", "text", "means"),
    [
        (grammars.pep440, ">=3.10,<4", ">=3.10,<4"),
        (grammars.pep440, "~=3.11", ">=3.11,<4"),
        (grammars.pep440, "~= 3.11.2", ">=3.11.2,<3.12"),
        (grammars.pep440, "==3.11.*", "3.11"),
        (grammars.pep440, "==3.11", "3.11.0"),
        (grammars.pep440, "<=3.11", "<3.11.1"),
        (grammars.pep440, ">3.11", ">=3.11.1"),
        (grammars.pep440, ">=2.7,!=3.0.*,!=3.1.*", ">=2.7,<3 || >=3.2"),
        (grammars.pep440, ">=3.14.0rc1", ">=3.14"),
        (grammars.poetry, "^3.10", ">=3.10,<4"),
        (grammars.poetry, "~3.10", "3.10"),
        (grammars.poetry, "3.9.* || 3.11.*", "3.9 || 3.11"),
        (grammars.npm, "^18.18 || >=20", ">=18.18,<19 || >=20"),
        (grammars.npm, ">=18 <21", ">=18,<21"),
        (grammars.npm, "16 - 18", ">=16,<19"),
        (grammars.npm, "20.x", "20"),
        (grammars.npm, "", "*"),
        (grammars.npm, ">=18.0.0-rc.1", ">=18"),
        (grammars.ruby, "~> 3.1", ">=3.1,<4"),
        (grammars.ruby, "~> 3.1.2", ">=3.1.2,<3.2"),
        (grammars.ruby, "~> 3", "3"),
        (grammars.ruby, ">= 2.7, < 4", ">=2.7,<4"),
        (grammars.composer, "^8.1", ">=8.1,<9"),
        (grammars.composer, "~8.1", ">=8.1,<9"),
        (grammars.composer, "~8.1.0|~8.2.0", ">=8.1,<8.3"),
        (grammars.composer, "8.1.* || 8.3.*", "8.1 || 8.3"),
        (grammars.composer, ">=8.0 <8.4", ">=8,<8.4"),
        (grammars.hex_pm, "~> 1.14 or ~> 2.0", ">=1.14,<3"),
        (grammars.hex_pm, ">= 1.12.0 and < 1.15.0", ">=1.12,<1.15"),
        (grammars.minimum, "1.22", ">=1.22"),
        (grammars.java_level, "1.8", ">=8"),
        (grammars.java_exact, "temurin-17.0.9+9", "17.0.9"),
        (grammars.java_exact, "17.0.9-tem", "17.0.9"),
        (grammars.exact, "v20.11.1", "20.11.1"),
        (grammars.exact, "3.12-dev", "3.12"),
    ],
)
def test_means(grammar: Grammar, text: str, means: str) -> None:
    found = overlap([grammar(text)])
    assert found is not None
    assert found.text == means
    assert parse(means).spans == found.spans


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (grammars.exact, "nightly"),
        (grammars.exact, "pypy3.9"),
        (grammars.exact, ""),
        (grammars.pep440, "^3.10"),
        (grammars.pep440, "three"),
        (grammars.pep440, ""),
        (grammars.npm, "node"),
        (grammars.npm, "20 ||"),
        (grammars.ruby, "3.1 or so"),
        (grammars.minimum, ">=1.2"),
    ],
)
def test_is_no_version(grammar: Grammar, text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        grammar(text)


def test_what_several_ask_for_is_written_anew() -> None:
    assert overlap([]) == parse("*")
    both = overlap([parse(">=3.10,<4"), parse("3.12 || 3.13 || 4.1")])
    assert both is not None
    assert both.text == ">=3.12,<3.14"
    assert overlap([parse("3.9"), parse(">=3.11")]) is None
