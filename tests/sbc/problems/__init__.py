"""The problems, each written out in NumPy and SciPy beside the model that it calibrates."""

from sbc.problem import Problem
from sbc.problems import families, groups, normals, options

PROBLEMS: dict[str, Problem] = {
    **normals.PROBLEMS,
    **families.PROBLEMS,
    **groups.PROBLEMS,
    **options.PROBLEMS,
}
assert len({problem.number for problem in PROBLEMS.values()}) == len(PROBLEMS)
