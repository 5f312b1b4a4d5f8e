"""Names and cells from outside, made fit to stand in a sentence."""


def printable(text: object, limit: int = 40) -> str:
    """Text in quotes: on one line, without control characters, and not longer than `limit`.

    Column names, cells and paths come from files; a terminal would obey an escape sequence in one,
    and a cell can be as long as the file.
    """
    raw = str(text)
    safe = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in raw[:limit]
    )
    return f"'{safe[: limit - 1]}…'" if len(raw) > limit or len(safe) > limit else f"'{safe}'"


def listed(texts: list[str] | tuple[str, ...], limit: int = 12) -> str:
    """Names as a list in a sentence, the first `limit` of them."""
    names = [printable(t) for t in texts[:limit]]
    if len(texts) > limit:
        names.append(f"{len(texts) - limit} more")
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
