"""Small systems of linear equations.

Owns: Gaussian elimination. Must not: be used for more than some dozen unknowns.
"""

from collections.abc import Sequence


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of ``matrix · x = right``, with partial pivoting; the matrix must not be singular."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda number: abs(rows[number][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for number in range(column + 1, size):
            factor = rows[number][column] / rows[column][column]
            if factor:
                rows[number] = [one - factor * other for one, other in zip(rows[number], rows[column], strict=True)]
    solution = [0.0] * size
    for column in reversed(range(size)):
        known = sum(rows[column][other] * solution[other] for other in range(column + 1, size))
        solution[column] = (rows[column][size] - known) / rows[column][column]
    return solution
