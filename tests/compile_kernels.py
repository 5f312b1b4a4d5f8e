"""Put the kernels that most tests use into Numba's cache, two processes side by side.

Kernels are compiled for the families of a model; most models here are of normal or of multivariate
normal components, and each process takes one of them. The others are compiled by the few tests that
have them. Where the cache is full this takes as long as importing PyMC does.
"""

import subprocess
import sys
import warnings

import numpy as np

ROWS = 60
# Columns of the data: one is normal, two with their covariance are multivariate normal.
PARTS = {"normal": 1, "mvnormal": 2}


def main() -> int:
    children = [subprocess.Popen([sys.executable, __file__, part]) for part in PARTS]
    return max(abs(child.wait()) for child in children)


def compile_for(columns: int) -> None:
    import unmix

    shift = 6.0 * (np.arange(ROWS) % 2)
    x = np.random.default_rng(1).normal(size=(ROWS, columns)) + shift[:, None]
    model = unmix.models.gaussian(x if columns > 1 else x[:, 0], 2)
    em_and_responsibilities(model)
    sweeps(model)


def em_and_responsibilities(model) -> None:
    import unmix
    from unmix.onepass.onepass import OnePass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)
        found = unmix.em(model, rng=1, starts=2, progress=False)
        unmix.responsibilities(model, found)
    derivation = unmix.derive(model)
    onepass = derivation.onepass
    log_w, packed = onepass.recognised.pack(derivation.space.constrain(derivation.space.initial))
    onepass.given(np.full((ROWS, 2), 0.5), np.arange(ROWS), packed)
    onepass.responsibilities(log_w[None], packed[None])
    # What z and rows are stored in: each of these is a kernel of its own.
    for z in (np.uint8, np.uint16):
        onepass.run(log_w, packed, "sampled", key=1, z=np.empty(ROWS, dtype=z))
    single = OnePass(onepass.recognised, dtype=np.float32)
    single.run(log_w, packed)


def sweeps(model) -> None:
    import unmix
    from unmix.infer.exact import compiled
    from unmix.infer.exact.blocks import find_blocks
    from unmix.infer.gibbs import run_gibbs

    derivation = unmix.derive(model)
    initial = derivation.space.initial
    run_gibbs(
        derivation, [initial], draws=1, tune=1, chains=1, cores=1, seed=1, progress=False
    )  # fmt: skip
    blocks, recognised = find_blocks(derivation), derivation.recognised
    theta = derivation.space.constrain(initial)
    log_w, packed = recognised.pack(theta)
    compiled.update(recognised.families)(
        np.random.default_rng(1), recognised.table, blocks.table, blocks.hyper, np.ones(2),
        np.ones((2, recognised.n_statistics)), packed.copy(), blocks.flatten(theta), log_w, packed,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(compile_for(PARTS[sys.argv[1]]) if sys.argv[1:] else main())
