"""The part of docs/benchmarks.md on families other than the normal."""

from typing import Any

from page import TEXT, machine_words, markdown, missing, ratio, seconds, show


def families_words(found: dict[str, Any]) -> list[str]:
    """The part of the page on families other than the normal."""
    if not found:
        return []
    rows = found["table"]
    names = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    took = {row["name"]: {n: seconds(row["peers"].get(n, {})) for n in names} for row in rows}
    others = [name for name in names if name != "unmix"]
    wrong = [f"- {row['name']}: {s}" for row in rows for s in row["disagreements"]]
    parts = [
        "## Other families", machine_words(found), TEXT["families"],
        "CPU milliseconds per iteration:",
        markdown([["N, D, K", *names], *(
            [case, *(show(t, 1e3) for t in by_name.values())] for case, by_name in took.items()
        )]),
        "Times unmix: above 1, unmix is that many times faster:",
        markdown([["N, D, K", *others], *(
            [case, *(ratio(t[n], t.get("unmix")) for n in others)] for case, t in took.items()
            if any(t[n] for n in others)
        )]),
        missing({row["name"]: row["peers"] for row in rows}),
        "**Not the same answer:**\n" + "\n".join(wrong) if wrong else TEXT["families agree"],
    ]  # fmt: skip
    return [part for part in parts if part]
