"""Put all kernels into Numba's cache, two processes side by side, so that no test compiles one.

In a fresh clone that is most of two minutes of work, which each process of the tests would do
again. Where the cache is full it takes as long as importing PyMC does.
"""

import subprocess
import sys
import warnings

import numpy as np

ROWS = 60


def main() -> int:
    children = [subprocess.Popen([sys.executable, __file__, what]) for what in PARTS]
    return max(abs(child.wait()) for child in children)


def model():
    import unmix

    x = np.random.default_rng(1).normal(size=ROWS) + 6.0 * (np.arange(ROWS) % 2)
    return unmix.models.gaussian(x, 2)


def em_and_responsibilities() -> None:
    import unmix
    from unmix.onepass.onepass import OnePass

    declared = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)
        found = unmix.em(declared, rng=1, starts=2, progress=False)
        unmix.responsibilities(declared, found)
    derivation = unmix.derive(declared)
    onepass = derivation.onepass
    log_w, packed = onepass.recognised.pack(derivation.space.constrain(derivation.space.initial))
    onepass.given(np.full((ROWS, 2), 0.5), np.arange(ROWS), packed)
    onepass.responsibilities(log_w[None], packed[None])
    # What z and rows are stored in: each of these is a kernel of its own.
    for z in (np.uint8, np.uint16):
        onepass.run(log_w, packed, "sampled", key=1, z=np.empty(ROWS, dtype=z))
    single = OnePass(onepass.recognised, dtype=np.float32)
    single.run(log_w, packed)


def sweeps() -> None:
    import unmix
    from unmix.infer.exact import compiled
    from unmix.infer.exact.blocks import find_blocks
    from unmix.infer.gibbs import run_gibbs

    derivation = unmix.derive(model())
    initial = derivation.space.initial
    run_gibbs(
        derivation, [initial], draws=1, tune=1, chains=1, cores=1, seed=1, progress=False
    )  # fmt: skip
    blocks, recognised = find_blocks(derivation), derivation.recognised
    theta = derivation.space.constrain(initial)
    log_w, packed = recognised.pack(theta)
    compiled.update()(
        np.random.default_rng(1), recognised.table, blocks.table, blocks.hyper, np.ones(2),
        np.ones((2, recognised.n_statistics)), packed.copy(), blocks.flatten(theta), log_w, packed,
    )  # fmt: skip


PARTS = {f.__name__: f for f in (em_and_responsibilities, sweeps)}

if __name__ == "__main__":
    sys.exit(PARTS[sys.argv[1]]() if sys.argv[1:] else main())
