"""Peers run in processes of their own, on one core unless told otherwise."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# The interpreter of the Python peers, where they sit in an environment of their own.
PEERS_PYTHON = os.environ.get("UNMIX_PEERS_PYTHON", sys.executable)
ONE_THREAD = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


def run(
    script: str,
    words: list[str],
    *,
    threads: int = 1,
    limit: float = 900.0,
    own: bool = False,
    extra: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a peer printed as its last line, or ``{"skipped": why}`` or ``{"failed": why}``.

    ``own`` scripts run with this interpreter, others with that of ``UNMIX_PEERS_PYTHON`` where it
    is set, R scripts with ``Rscript``. With one thread the process is also tied to one core.
    ``extra`` adds environment variables.
    """
    if script.endswith(".R"):
        interpreter = shutil.which("Rscript")
        if interpreter is None:
            return {"skipped": "Rscript is not on the path"}
    else:
        interpreter = sys.executable if own else PEERS_PYTHON
        if shutil.which(interpreter) is None:
            return {"skipped": "UNMIX_PEERS_PYTHON names no interpreter"}
    environment = {**_environment(threads), **(extra or {})}
    command = [interpreter, str(HERE / script), *words]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begun, used = time.perf_counter(), _children()
        child = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        if threads == 1:
            _tie(child.pid)
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return {"failed": f"not done within {limit:.0f} s"}
        except BaseException:
            child.kill()
            child.wait()
            raise
        seconds, cpu = time.perf_counter() - begun, _children() - used
        said, complaint = _text(out), _text(err)
    figures = None
    if child.returncode == 0:
        with contextlib.suppress(IndexError, json.JSONDecodeError):
            figures = json.loads(said[-1])
    if figures is None:
        # The whole complaint is for the screen: results hold no paths of this machine.
        print("\n".join(complaint[-30:]), file=sys.stderr)
        errors = [line for line in complaint if "Error" in line]
        ended = f"ended with status {child.returncode} and no figures"
        return {"failed": errors[-1].replace(str(HERE), "peers") if errors else ended}
    return {**figures, "process_wall_seconds": seconds, "process_cpu_seconds": cpu}


def _children() -> float:
    """CPU seconds of all processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(threads: int) -> dict[str, str]:
    flags = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
    return {
        **os.environ,
        **{name: str(threads) for name in ONE_THREAD},
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
    }


def _tie(pid: int) -> None:
    """To the last core that we may use, as the first is where a machine's chores end up."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})


def _text(stream: Any) -> list[str]:
    stream.seek(0)
    return [line for line in stream.read().splitlines() if line.strip()]
