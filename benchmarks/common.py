"""Paired runs: two ways to the same end, one right after the other, many times; what counts is the ratio.

A shared machine is now fast, now slow. Both members of a pair meet about the same machine, their order alternates, and
the result is the median of the pairs' ratios. Absolute times are printed for the eye and compared with nothing.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import docker

from devbox.values import LABEL_BASE, LABEL_ROLE, ROLE_BASE

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".benchmarks"
KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to do it: `prepare` and `clean_up` are not timed. Each raises if it fails."""

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    clean_up: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came out. Times in seconds, in the order of the runs; `target` is the highest ratio that is good.

    `percentile`: what counts are the slow ones among very many, and not how the two members of a pair compare.
    """

    name: str
    ours: tuple[float, ...]
    peer: str
    theirs: tuple[float, ...]
    target: float | None
    percentile: int | None = None

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios, or the ratio of the percentiles: below 1, ours is faster."""
        if self.percentile is not None:
            return self.typical(self.ours) / self.typical(self.theirs)
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def typical(self, times: Sequence[float]) -> float:
        """Return the median of `times`, or their percentile."""
        if self.percentile is None:
            return statistics.median(times)
        return statistics.quantiles(times, n=100, method="inclusive")[self.percentile - 1]

    @property
    def is_good(self) -> bool:
        """Whether the target is met; of a peer that is only looked at there is none."""
        return self.target is None or self.ratio <= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number, of bytes unless `unit` names something else, that must not be above `most` (None: it is only said)."""

    name: str
    value: int
    most: int | None
    unit: str = ""

    def said(self, value: int) -> str:
        """Return a value for the eye."""
        return f"{value} {self.unit}" if self.unit else f"{value / KIB:.0f} KiB"

    @property
    def is_good(self) -> bool:
        """Whether the limit holds."""
        return self.most is None or self.value <= self.most


def measure(name: str, ours: Way, theirs: Way, *, pairs: int, target: float | None) -> Comparison:
    """Run both ways `pairs` times, in alternating order."""
    times: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    for number in range(pairs):
        for way in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            way.prepare()
            try:
                begin = time.perf_counter()
                way.run()
                times[way.name].append(time.perf_counter() - begin)
            finally:
                way.clean_up()
    return Comparison(
        name=name, ours=tuple(times[ours.name]), peer=theirs.name, theirs=tuple(times[theirs.name]), target=target
    )


def report(
    title: str, comparisons: Sequence[Comparison], skipped: Sequence[str] = (), amounts: Sequence[Amount] = ()
) -> bool:
    """Print a table, write `.benchmarks/<title>.json`, and return whether all targets are met."""
    print(f"\n{title}: medians of paired runs; below 1.00 devbox is faster")
    print(f"  {'what':<44} {'devbox':>9} {'peer':>9}  {'ratio':>6} {'target':>7}")
    for one in comparisons:
        ours, theirs = _time(one.typical(one.ours)), _time(one.typical(one.theirs))
        target = "-" if one.target is None else f"{one.target:.2f}"
        print(f"  {one.name:<44} {ours:>9} {theirs:>9}  {one.ratio:>6.2f} {target:>7}{_verdict(one)}")
    for amount in amounts:
        value, most = amount.said(amount.value), "-" if amount.most is None else amount.said(amount.most)
        print(f"  {amount.name:<44} {value:>9} {'at most':>9}  {most:>14}{_verdict(amount)}")
    for reason in skipped:
        print(f"  left out: {reason}")
    RESULTS.mkdir(exist_ok=True)
    document = {
        "schema": 1,
        "benchmark": title,
        "machine": {"system": platform.system(), "arch": platform.machine(), "cpus": os.cpu_count()},
        "comparisons": [{**asdict(one), "ratio": one.ratio, "good": one.is_good} for one in comparisons],
        "amounts": [{**asdict(one), "good": one.is_good} for one in amounts],
        "left_out": list(skipped),
    }
    (RESULTS / f"{title}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return all(one.is_good for one in comparisons) and all(one.is_good for one in amounts)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.{1 if seconds >= 0.01 else 2}f} ms"


def _verdict(one: Comparison | Amount) -> str:
    return "" if one.is_good else "  MISSED"


def options(description: str | None) -> argparse.Namespace:
    """Parse the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few runs, for information: a missed target is no failure")
    return parser.parse_args()


def command(*argv: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program of a peer and return its stdout; `SystemExit` with its own words if it fails."""
    words = [str(word) for word in argv]
    merged = {**os.environ, **(env or {})}
    done = subprocess.run(
        words, check=False, env=merged, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(
            f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


def docker_command() -> str:
    """Return the docker command; `SystemExit` where there is none."""
    found = shutil.which("docker")
    if not found:
        raise SystemExit("the benchmarks compare with the docker command, which is not installed")
    return found


def base_image(client: docker.DockerClient, reference: str) -> str:
    """Return the id of the image that devbox uses for `reference`: bootstrapped, or pulled."""
    made = client.images.list(filters={"label": [f"{LABEL_BASE}={reference}", f"{LABEL_ROLE}={ROLE_BASE}"]})
    return str((made[0] if made else client.images.get(reference)).id)
