"""The machine and the versions that figures belong to."""

import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import launch

RESULTS = Path(__file__).parents[1] / "results"


NAMES = ("unmix", "numpy", "numba", "pymc", "nutpie")


def describe() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in NAMES},
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def floor(*, quick: bool) -> dict[str, Any]:
    """Bandwidth (bytes/s), peak (flop/s) and exp (s) of one thread, by `floor.py`.

    The matrix product is tried as NumPy's BLAS comes, and with OpenBLAS held to its AVX-512
    kernels, which it does not choose by itself on processors newer than it. A kernel that the
    processor cannot run ends that one process, and is left out.
    """
    words = ["--quick"] if quick else []
    tried = {"as installed": launch.run("floor.py", words, own=True)}
    with_kernels = {"OPENBLAS_CORETYPE": "SKYLAKEX"}
    tried["AVX-512 kernels"] = launch.run("floor.py", words, own=True, extra=with_kernels)
    good = {name: found for name, found in tried.items() if "peak" in found}
    if not good:
        raise SystemExit(f"the floor could not be measured: {tried}")
    return {
        "bandwidth": max(max(found["bandwidth"].values()) for found in good.values()),
        "peak": max(found["peak"] for found in good.values()),
        "exp": min(min(found["exp"].values()) for found in good.values()),
        "tried": good,
    }


def save(name: str, results: dict[str, Any], *, quick: bool) -> Path:
    folder = RESULTS / "quick" if quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    said = {}
    for line in lines:
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    name = said.get("model name", platform.machine())
    numbers = [f"{key} {said[key]}" for key in ("cpu family", "model") if key in said]
    return f"{name} ({', '.join(numbers)})" if numbers else name


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
