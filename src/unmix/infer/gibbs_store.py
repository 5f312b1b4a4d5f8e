"""What a long run of draws keeps on disk: assignments in one file, and where each chain stands.

A chain writes its draws into memory-mapped files as it goes, and from time to time its state: what
lies beyond the draws that the state speaks of is written again. Files are .npy and .npz without
pickled objects, and JSON; each state replaces the one before in one step, so that whatever moment
the run is stopped at, there is one to go on from.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from unmix.derive import Derivation
from unmix.errors import UnmixError
from unmix.fingerprint import fingerprint, require_same

SETTINGS = "settings.json"
# Log-densities of the same model at the same point, computed on machines that round otherwise.
SAME = 1e-8


def mapped(path: Path, shape: tuple[int, ...], dtype: DTypeLike, *, again: bool) -> NDArray:
    """A memory-mapped array; the one that is there if ``again``, else a new one.

    A file of that name is replaced, not overwritten: results that are mapped to it stay as they
    are.

    Raises
    ------
    UnmixError
        If the file that should be there is not, or is another array.
    """
    if not again:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    try:
        array = open_memmap(path, mode="r+")
    except (OSError, ValueError) as error:
        raise UnmixError(
            f"the checkpoint goes on from {path}, which cannot be read: give back the file, or "
            "another checkpoint folder"
        ) from error
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise UnmixError(
            f"the checkpoint goes on from {path}, which holds an array of another shape or type: "
            "give another checkpoint folder"
        )
    return array


def _replace(path: Path, write: Any) -> None:
    """Write a file beside the one that is there, then put it in its place."""
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _log_density(derivation: Derivation) -> float | None:
    """At a fixed point; unlike the likelihood in the fingerprint it knows the priors."""
    theta = derivation.space.jittered(np.random.default_rng(0))
    value = derivation.log_density(theta, np.zeros(derivation.n_obs, dtype=int))
    return value if np.isfinite(value) else None


class Checkpoint:
    """A folder from which a run goes on.

    Parameters
    ----------
    folder
        Made if it is not there.
    derivation
        The model.
    settings
        Numbers and words that decide what is drawn.

    Raises
    ------
    UnmixError
        If the folder is of another model or of other settings.
    """

    def __init__(
        self, folder: str | os.PathLike, derivation: Derivation, settings: dict[str, Any]
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / SETTINGS
        self.goes_on = path.exists()
        density = _log_density(derivation)
        if not self.goes_on:
            now = {**settings, "model": fingerprint(derivation), "log_density": density}
            _replace(path, lambda file: file.write(json.dumps(now, indent=1).encode()))
            return
        try:
            then = json.loads(path.read_text())
            model, before = str(then.pop("model")), then.pop("log_density")
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UnmixError(f"{path} cannot be read: give another checkpoint folder") from error
        try:
            require_same(derivation, model)
        except UnmixError as error:
            raise UnmixError(
                f"the checkpoint in {self.folder} is of another model ({error}): give another "
                "folder"
            ) from None
        same = before == density or (
            isinstance(before, float) and density is not None
            and abs(before - density) <= SAME * max(1.0, abs(density))
        )  # fmt: skip
        if not same:
            raise UnmixError(
                f"the checkpoint in {self.folder} is of a model with other priors or data: give "
                "another folder"
            )
        for name in sorted({*then, *settings}):
            if then.get(name) != settings.get(name):
                raise UnmixError(
                    f"the checkpoint in {self.folder} was made with {name} = {then.get(name)!r} "
                    f"and not {settings.get(name)!r}: give that, or another folder"
                )

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
        """One of the run's arrays."""
        path = self.folder / f"{name}.npy"
        # A run stopped before it had made its arrays has no state either.
        begun = path.exists() or any(self.folder.glob("chain_*.npz"))
        return mapped(path, shape, dtype, again=self.goes_on and begun)

    def state(self, name: str) -> dict[str, NDArray] | None:
        """Where a chain stood, or something else that was written; None if nothing was."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                return dict(held)
        except (OSError, ValueError, EOFError) as error:
            raise UnmixError(f"{path} cannot be read: give another checkpoint folder") from error

    def write(self, name: str, state: dict[str, NDArray]) -> None:
        """Keep where a chain stands, or something else."""
        held: dict[str, Any] = dict(state)
        _replace(self.folder / f"{name}.npz", lambda file: np.savez(file, **held))


def rng_state(rng: np.random.Generator) -> NDArray:
    """The state of a generator as JSON in an array."""
    return np.array(json.dumps(rng.bit_generator.state))


def rng_from(state: NDArray) -> np.random.Generator:
    """The generator again."""
    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = json.loads(str(state))
    return rng
