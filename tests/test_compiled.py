"""What is compiled, for which families, and what notices that it must be compiled anew."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from registry import derived

from unmix.onepass import sources
from unmix.onepass.chunks import for_kernel
from unmix.onepass.elementary import jit
from unmix.onepass.families import FAMILIES
from unmix.onepass.variant import NAMES, Families, by_family

ROOMS = ("unmix.onepass", "unmix.infer.exact", "unmix.assign.partition")
# Called from Python, or from what PyTensor compiles, only: not a part of any kernel on disk.
ELSEWHERE = {"op.py"}


def modules():
    for room in ROOMS:
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, room + "."):
            yield importlib.import_module(found.name)


def files_with_kernels():
    """Found by looking at every module, not by following anything."""
    files = set()
    for module in modules():
        for value in vars(module).values():
            own = getattr(value, "__module__", None) == module.__name__
            family = isinstance(value, FunctionType) and hasattr(value, "__wrapped__")
            if own and (isinstance(value, Dispatcher) or family):
                files.add(Path(module.__file__))
    return {f for f in files if f.name not in ELSEWHERE}


def files_in_digests(monkeypatch):
    """Of all functions that are kept on disk, made anew to see what they take into their key."""
    asked = []
    for room in ROOMS:
        module = importlib.import_module(room + ".compiled")
        monkeypatch.setattr(module, "digest", lambda f: asked.append(f) or "")
        for name, factory in list(vars(module).items()):
            if hasattr(factory, "cache_info") and name != "digest":
                code = factory.__wrapped__.__code__
                factory.__wrapped__(*[Families((0,))] * code.co_argcount)
    return set().union(*(sources.made_of(f)[0] for f in asked))


def test_every_file_with_kernels_is_a_part_of_some_key(monkeypatch):
    found = files_with_kernels()
    assert {"normal.py", "kernel.py", "sweep.py", "losses.py"} <= {f.name for f in found}
    assert found <= files_in_digests(monkeypatch)


def test_a_digest_that_forgets_modules_is_caught(monkeypatch):
    """A check seen to fail: members of modules are not followed."""
    whole = sources.asked_for

    def short(function):
        return (pair for pair in whole(function) if pair[0] in function.__globals__)

    monkeypatch.setattr(sources, "asked_for", short)
    with pytest.raises(AssertionError):
        test_every_file_with_kernels_is_a_part_of_some_key(monkeypatch)


def test_files_without_kernels_are_no_part_of_a_key(monkeypatch):
    names = {f.name for f in files_in_digests(monkeypatch)}
    assert not names & {"run.py", "laplace.py", "onepass.py", "recognise.py", "op.py", "verb.py"}


@jit
def of_a_number(x):  # type: ignore[no-untyped-def]
    return x + NUMBER


NUMBER = 1.5


def test_numbers_from_elsewhere_are_a_part_of_the_key(monkeypatch):
    assert "NUMBER=1.5" in sources.made_of(of_a_number)[1]
    one = sources.digest.__wrapped__(of_a_number)
    monkeypatch.setitem(globals(), "NUMBER", 2.5)
    assert sources.digest.__wrapped__(of_a_number) != one


def test_codes_are_those_of_the_families():
    assert [f.code for f in FAMILIES] == list(range(len(NAMES)))
    assert [f.name.lower() for f in FAMILIES] == list(NAMES)


@pytest.mark.parametrize("codes", [(), (1, 0), (0, 0), (7,), (-1,)])
def test_what_are_no_families(codes):
    with pytest.raises(ValueError, match="no families"):
        Families(codes)


@by_family
def sides(normal, mvnormal, poisson, bernoulli, categorical, exponential, labels):  # type: ignore[no-untyped-def]
    """A branch on a family that is not there cannot even be compiled."""

    def sides(families, code):  # type: ignore[no-untyped-def]
        if normal and code == 0:
            return 10
        if mvnormal and code == 1:
            return of_no_type(code)  # noqa: F821
        if poisson and code == 2:
            return 12
        return -1

    return sides


@jit
def through(families, code):  # type: ignore[no-untyped-def]
    return sides(families, code)


def test_only_families_that_are_there_are_compiled():
    for chosen in (sides, through):
        assert [chosen(Families((0,)), c) for c in (0, 2)] == [10, -1]
        assert [chosen(Families((0, 2)), c) for c in (0, 2)] == [10, 12]


def test_arrays_reach_the_kernels_in_one_form():
    """Read-only or strided ones would each be another signature to compile for."""
    fixed = np.broadcast_to(np.arange(3.0), (2, 3))
    for given in (fixed, np.arange(6.0).reshape(2, 3).T, np.arange(3)):
        flags = for_kernel(given).flags
        assert flags.writeable
        assert flags.c_contiguous
    derivation = derived("normal")
    thetas = [derivation.space.jittered(np.random.default_rng(s)) for s in (1, 2)]
    stack = {n: np.stack([t[n] for t in thetas]) for n in thetas[0]}
    for packed in derivation.recognised.pack_stack(stack):
        assert packed.flags.writeable


TWO_FAMILIES = """
import json
import numpy as np
from unmix.onepass import compiled
from unmix.onepass.variant import Families

out = []
for code, size, sums in ((0, 3, 2), (2, 2, 1)):
    f = compiled.maximise_all(Families((code,)))
    params, stats = np.zeros((1, size)), np.full((1, sums), 8.0)
    terms = np.array([[code, 0, 1, 0, size, 0, sums]])
    f(terms, np.zeros(1), params, np.full(1, 4.0), stats, np.zeros(1), False, 4.0)
    hits, misses = (sum(getattr(f.stats, n).values()) for n in ("cache_hits", "cache_misses"))
    out.append([hits, misses, params.ravel().tolist()])
print(json.dumps(out))
"""


def test_variants_stand_side_by_side_on_disk(tmp_path):
    """The second process compiles neither, and computes what the first did."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", TWO_FAMILIES],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [r[:2] for r in runs[0]] == [[0, 1], [0, 1]]
    assert [r[:2] for r in runs[1]] == [[1, 0], [1, 0]]
    assert [r[2] for r in runs[0]] == [r[2] for r in runs[1]]
    # By hand: n = 4 and both sums 8, so that the mean moves by 2, and 8 / 4 − 2² = −2 is floored at
    # zero; the Poisson rate is 2.
    assert runs[0][1][2] == [np.log(2.0), -2.0]
