"""Figures of a run, for people (`BENCHMARKS.md`) and for programs (`build/bench.json`)."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TABLE_START = "<!-- figures: written by `make bench` -->"
TABLE_END = "<!-- end of figures -->"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value and what it was measured against in the same run."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    """The baseline's value in the same unit."""
    ratio: float | None = None
    goal: str = ""
    """The goal as a sentence, empty where the figure only informs."""
    met: bool | None = None


def against(name: str, value: float, unit: str, baseline: float, *, at_least: float) -> Figure:
    """Compare a value with its baseline where more is better."""
    ratio = value / baseline
    return Figure(
        name=name,
        value=value,
        unit=unit,
        baseline=baseline,
        ratio=ratio,
        goal=f">= {at_least:g}x",
        met=ratio >= at_least,
    )


def sentence(figure: Figure) -> str:
    """Say a figure in one line."""
    text = f"{figure.name}: {_number(figure.value)} {figure.unit}"
    if figure.baseline is not None:
        text += f", baseline {_number(figure.baseline)}"
    if figure.ratio is not None:
        text += f", ratio {_number(figure.ratio)}"
    if figure.goal:
        text += f" (goal {figure.goal}: {'met' if figure.met else 'missed'})"
    return text


def write(figures: Sequence[Figure]) -> None:
    """Write both reports; figures that this run did not measure keep their last value."""
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    path = build / "bench.json"
    measured = {figure.name: asdict(figure) for figure in figures}
    kept = json.loads(path.read_text()) if path.exists() else []
    merged = [measured.pop(row["name"], row) for row in kept] + list(measured.values())
    path.write_text(json.dumps(merged, indent=2) + "\n")
    _write_table(merged)


def _write_table(rows: Sequence[dict[str, object]]) -> None:
    path = REPOSITORY / "BENCHMARKS.md"
    head, _, rest = path.read_text().partition(TABLE_START)
    _, _, tail = rest.partition(TABLE_END)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    lines = [
        TABLE_START,
        f"Measured {when}, Python {platform.python_version()}, {platform.machine()}.",
        "",
        "| figure | value | baseline | ratio | goal | met |",
        "|---|---|---|---|---|---|",
        *[_row(row) for row in rows],
        TABLE_END,
    ]
    path.write_text(head + "\n".join(lines) + tail)


def _row(row: dict[str, object]) -> str:
    unit = row["unit"]
    cells = [
        row["name"],
        f"{_number(row['value'])} {unit}",
        "" if row["baseline"] is None else f"{_number(row['baseline'])} {unit}",
        "" if row["ratio"] is None else f"{_number(row['ratio'])}x",
        row["goal"],
        "" if row["met"] is None else "yes" if row["met"] else "**no**",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _number(value: object) -> str:
    number = float(str(value))
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
