"""A pytest plugin: with DEVBOX_NO_SKIP set, a skipped test is a failed one.

A test may skip on a developer's machine where a tool is missing; its reason names the tool. `make test` installs
the tools first and sets the variable, so that a suite which tested nothing cannot be green. A reason that begins
with `NOT_HERE` names what this kind of machine cannot have (another kernel, no root) and stays a skip.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

NOT_HERE = "not possible here: "
STRICT = bool(os.environ.get("DEVBOX_NO_SKIP"))  # read once: the tests run with every DEVBOX_* variable taken away
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return judged((yield))


def judged(report: Report) -> Report:
    """Return `report`, failed if it is a skip that should not be; an expected failure counts as skipped and stays."""
    if not report.skipped or hasattr(report, "wasxfail") or not STRICT:
        return report
    reason = (
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
    )
    if not reason.startswith(NOT_HERE):
        report.outcome = "failed"
        report.longrepr = f"skipped, but nothing may be missing here: {reason}"
    return report
