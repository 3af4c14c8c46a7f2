"""All scenarios, and what comes of one when it is played."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.sync.stage import ALL, Pair, Scenario, Stage

for _module in sorted(path.stem for path in (Path(__file__).parent / "scenarios").glob("*.py")):
    importlib.import_module(f"tests.sync.scenarios.{_module}")

SCENARIOS: Final = tuple(sorted(ALL, key=lambda one: one.number))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a scenario. `wrong` in words, nothing if all was right; `missing`: what the pair cannot do."""

    scenario: Scenario
    wrong: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def fits(scenario: Scenario, pair: type[Pair] | Pair) -> bool:
    """Whether a scenario can be played on such a pair."""
    return scenario.needs <= pair.can and (not scenario.only or pair.name in scenario.only)


def play(scenario: Scenario, pair: Pair) -> Outcome:
    """Play a scenario to its end; what it did not survive is wrong as well."""
    stage = Stage(pair=pair)
    scenario.play(stage)
    return Outcome(scenario=scenario, wrong=tuple(stage.wrong))
