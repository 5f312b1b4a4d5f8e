"""What each family does with a block of rows and with its sums, chosen by the family's code.

Each function here is compiled with the families of the model at hand; see `unmix.onepass.variant`.
Flags carry an underscore where a module has the name.
"""

from unmix.onepass.families import (
    bernoulli,
    categorical,
    exponential,
    labels,
    mvnormal,
    normal,
    poisson,
)
from unmix.onepass.variant import by_family


@by_family
def log_density(normal_, mvnormal_, poisson_, bernoulli_, categorical_, exponential_, labels_):  # type: ignore[no-untyped-def]
    """Add one term's log-density of a block of rows to ``row``."""

    def log_density(families, code, x, d, m, p, row, work):  # type: ignore[no-untyped-def]
        if normal_ and code == 0:
            normal.log_density(x, d, m, p, row, work)
        if mvnormal_ and code == 1:
            mvnormal.log_density(x, d, m, p, row, work)
        if poisson_ and code == 2:
            poisson.log_density(x, d, m, p, row, work)
        if bernoulli_ and code == 3:
            bernoulli.log_density(x, d, m, p, row, work)
        if categorical_ and code == 4:
            categorical.log_density(x, d, m, p, row, work)
        if exponential_ and code == 5:
            exponential.log_density(x, d, m, p, row, work)
        if labels_ and code == 6:
            labels.log_density(x, d, m, p, row, work)

    return log_density


@by_family
def statistics(normal_, mvnormal_, poisson_, bernoulli_, categorical_, exponential_, labels_):  # type: ignore[no-untyped-def]
    """Add one term's weighted sums of a block of rows to ``s``."""

    def statistics(families, code, x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
        if normal_ and code == 0:
            normal.statistics(x, d, m, p, r, s, work)
        if mvnormal_ and code == 1:
            mvnormal.statistics(x, d, m, p, r, s, work)
        if poisson_ and code == 2:
            poisson.statistics(x, d, m, p, r, s, work)
        if bernoulli_ and code == 3:
            bernoulli.statistics(x, d, m, p, r, s, work)
        if categorical_ and code == 4:
            categorical.statistics(x, d, m, p, r, s, work)
        if exponential_ and code == 5:
            exponential.statistics(x, d, m, p, r, s, work)
        if labels_ and code == 6:
            labels.statistics(x, d, m, p, r, s, work)

    return statistics


@by_family
def maximise(normal_, mvnormal_, poisson_, bernoulli_, categorical_, exponential_, labels_):  # type: ignore[no-untyped-def]
    """Set one term's parameters of one component to the best ones; see the families."""

    def maximise(families, code, d, n, s, p, floor):  # type: ignore[no-untyped-def]
        if normal_ and code == 0:
            return normal.maximise(d, n, s, p, floor)
        if mvnormal_ and code == 1:
            return mvnormal.maximise(d, n, s, p, floor)
        if poisson_ and code == 2:
            return poisson.maximise(d, n, s, p, floor)
        if bernoulli_ and code == 3:
            return bernoulli.maximise(d, n, s, p, floor)
        if categorical_ and code == 4:
            return categorical.maximise(d, n, s, p, floor)
        if exponential_ and code == 5:
            return exponential.maximise(d, n, s, p, floor)
        if labels_ and code == 6:
            return labels.maximise(d, n, s, p, floor)
        return 0

    return maximise


@by_family
def change(normal_, mvnormal_, poisson_, bernoulli_, categorical_, exponential_, labels_):  # type: ignore[no-untyped-def]
    """How far one term's parameters of one component moved, in their own units."""

    def change(families, code, d, old, new):  # type: ignore[no-untyped-def]
        if normal_ and code == 0:
            return normal.change(d, old, new)
        if mvnormal_ and code == 1:
            return mvnormal.change(d, old, new)
        if poisson_ and code == 2:
            return poisson.change(d, old, new)
        if bernoulli_ and code == 3:
            return bernoulli.change(d, old, new)
        if categorical_ and code == 4:
            return categorical.change(d, old, new)
        if exponential_ and code == 5:
            return exponential.change(d, old, new)
        if labels_ and code == 6:
            return labels.change(d, old, new)
        return 0.0

    return change


@by_family
def fill_alone(normal_, mvnormal_, poisson_, bernoulli_, categorical_, exponential_, labels_):  # type: ignore[no-untyped-def]
    """Log-joint of a sole normal term, written at once, as each further loop would count.

    Whether there was such a term.
    """

    def fill_alone(families, terms, block, m, params, weight, row, work):  # type: ignore[no-untyped-def]
        if len(terms) > 1:
            return False
        code, first, d, p = terms[0, 0], terms[0, 1], terms[0, 2], params[terms[0, 3] :]
        if normal_ and code == 0:
            normal.fill(block[first : first + d], d, m, p, weight, row)
            return True
        if mvnormal_ and code == 1:
            mvnormal.fill(block[first : first + d], d, m, p, weight, row, work)
            return True
        return False

    return fill_alone
