"""How fast one thread of this machine streams, multiplies and exponentiates; prints JSON.

- *bandwidth*: the faster of ``x.sum()`` and BLAS's ``x @ x`` over an array of 480 MB. Each
  reads every number once.
- *peak*: float64 multiply-adds of ``a @ b`` with 2048 × 2048 matrices, two operations each.
- *exp*: seconds per float64 exponential of arguments in (-50, 0), on arrays of 2,048 to 8,192
  numbers that stay in the first cache: the fastest of NumPy's, an own one under Numba, and
  unmix's, so that nothing unmix does is below the floor.

For bandwidth, peak and exp the fastest of many repeats stands, for it is a floor that is wanted.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1.5 * 2.0**52  # added and taken away again, it rounds to a whole number
LOG2_E = 1.4426950408889634
LN_2_HIGH, LN_2_LOW = 0.6931471803691238, 1.9082149292705877e-10
# Taylor: the remainder at |r| <= ln(2)/2 is below r¹⁴/14! = 4e-18, under float64's rounding.
INVERSE_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, i + 1))) for i in range(14))


def fastest(action: Callable[[], object], seconds: float = 1.0) -> float:
    """Least CPU seconds of one call, over about the seconds given."""
    least, begun = np.inf, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        before = time.process_time()
        action()
        least = min(least, time.process_time() - before)
    return least


def beginning_a_line(x: NDArray) -> NDArray:
    """A copy that begins with a line of the cache."""
    held = np.empty(x.size + 8)
    skip = -(held.ctypes.data // 8) % 8
    held[skip : skip + x.size] = x
    return held[skip : skip + x.size]


def own_exp() -> Callable[[NDArray, NDArray], None] | None:
    """e^x = 2^k e^r with a polynomial for e^r; None without Numba."""
    try:
        import numba
    except ImportError:
        return None
    # float() keeps them constants of the compiled code, to be folded into its instructions.
    c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13 = INVERSE_FACTORIALS[2:]

    @numba.njit(fastmath={"contract"}, error_model="numpy")
    def exponentials(x, out, powers):  # `powers` is `out`, seen as integers
        for i in range(x.size):
            k = (x[i] * LOG2_E + ROUNDING) - ROUNDING
            powers[i] = (np.int64(k) + 1023) << 52
        for i in range(x.size):
            k = (x[i] * LOG2_E + ROUNDING) - ROUNDING
            r = (x[i] - k * LN_2_HIGH) - k * LN_2_LOW
            p = c12 + r * c13
            p = c11 + r * p
            p = c10 + r * p
            p = c9 + r * p
            p = c8 + r * p
            p = c7 + r * p
            p = c6 + r * p
            p = c5 + r * p
            p = c4 + r * p
            p = c3 + r * p
            p = c2 + r * p
            p = 1.0 + r * p
            p = 1.0 + r * p
            out[i] = out[i] * p

    def call(x: NDArray, out: NDArray) -> None:
        exponentials(x, out, out.view(np.int64))

    x = -50 * np.random.default_rng(1).random(1000)
    out = np.empty_like(x)
    call(x, out)
    if np.abs(out / np.exp(x) - 1).max() > 1e-14:
        raise SystemExit("the exponential that the floor is measured with is wrong")
    return call


def exp_of_unmix() -> Callable[[NDArray, NDArray], None] | None:
    """The one of the kernels; None without unmix."""
    try:
        from unmix.onepass.elementary import jit
        from unmix.onepass.lanes import WIDE, load_wide, store
        from unmix.onepass.lanes_exp import exp
    except ImportError:
        return None

    @jit
    def exponentials(x, out):
        for i in range(0, len(x), WIDE):
            store(out, i, exp(load_wide(x, i)))

    return exponentials


def exp_seconds() -> dict[str, float]:
    candidates = {"numpy.exp": lambda x, out: np.exp(x, out=out)}
    own = own_exp()
    if own is not None:
        candidates["polynomial under Numba"] = own
    of_unmix = exp_of_unmix()
    if of_unmix is not None:
        candidates["unmix"] = of_unmix
    rng = np.random.default_rng(1)
    found = {}
    for name, function in candidates.items():
        per_number = []
        for size in (2048, 4096, 8192):
            x, out = beginning_a_line(-50 * rng.random(size)), beginning_a_line(np.empty(size))
            function(x, out)  # compiled before the clock runs

            def many(function=function, x=x, out=out) -> None:
                for _ in range(1000):
                    function(x, out)

            per_number.append(fastest(many, 0.5) / size / 1000)
        found[name] = min(per_number)
    return found


def main() -> None:
    small = "--quick" in sys.argv
    rng = np.random.default_rng(1)
    x = rng.random(6_000_000 if small else 60_000_000)
    streams = {"x.sum()": fastest(x.sum), "x @ x": fastest(lambda: x @ x)}
    size = 512 if small else 2048
    a, b, c = rng.random((size, size)), rng.random((size, size)), np.empty((size, size))
    product = fastest(lambda: np.matmul(a, b, out=c), 3.0)
    figures = {
        "bandwidth": {name: x.nbytes / seconds for name, seconds in streams.items()},
        "peak": 2 * size**3 / product,
        "exp": exp_seconds(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
