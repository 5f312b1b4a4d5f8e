"""Cells, tables and paragraphs that the parts of docs/benchmarks.md share."""

from pathlib import Path
from typing import Any

Table = list[list[str]]


def machine_words(results: dict[str, Any]) -> str:
    """Where and when some results were measured."""
    machine = results["machine"]
    versions = ", ".join(f"{n} {v}" for n, v in machine["versions"].items() if v)
    return (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"{machine['date']}; Python {machine['python']}, {versions}."
    )


def missing(found: dict[str, dict[str, Any]]) -> str:
    """What was skipped or failed, and why, each once."""
    said: dict[str, list[str]] = {}
    for case, peers in found.items():
        for name, figures in peers.items():
            for kind in ("skipped", "failed"):
                if kind in figures:
                    said.setdefault(f"{name} {kind}: {figures[kind]}", []).append(case)
    return "\n".join(f"- {what} ({'; '.join(cases)})" for what, cases in said.items())


def seconds(figures: dict[str, Any]) -> float | None:
    """CPU seconds of an iteration."""
    return figures.get("cpu_seconds")


def ratio(a: float | None, b: float | None) -> str:
    """One over the other, where both are there."""
    return show(a / b) if a and b else "–"


def show(value: float | None, unit: float = 1.0) -> str:
    """Three digits, no powers of ten."""
    if value is None:
        return "–"
    value *= unit
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(rows: Table) -> str:
    """A table, its first row the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _texts() -> dict[str, str]:
    """Paragraphs of benchmarks/words.md, by their headings."""
    text = (Path(__file__).parents[1] / "words.md").read_text()
    parts = (part.partition("\n") for part in text.split("## ")[1:])
    return {name.strip(): body.strip() for name, _, body in parts}


TEXT = _texts()
