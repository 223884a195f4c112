# SPDX-License-Identifier: Apache-2.0
"""Statistics of a matrix that lies in memory as a whole: an ordinary NumPy program.

Fills it with correlated noise, centres and scales every column in place, finds the direction of
greatest variance by power iteration, and writes that, a block of the correlation matrix and a hash
of all the bytes to a file. The same sizes give the same file.
"""
import argparse
import hashlib

import numpy

ITERATIONS = 4
CORRELATED = 64  # columns of the block that is written
BATCH = 1024  # rows at a time: across all rows at once, BLAS would walk the matrix column by column


def fill(matrix: numpy.ndarray) -> None:
    """Row by row, so that the values do not depend on how much memory there is."""
    random = numpy.random.Generator(numpy.random.PCG64(20240229))
    weights = random.standard_normal(matrix.shape[1])
    for row in matrix:
        random.standard_normal(out=row)
        row += row[0] * weights


def standardize(matrix: numpy.ndarray) -> tuple:
    means = matrix.mean(axis=0)
    matrix -= means
    deviations = numpy.sqrt(numpy.einsum("ij,ij->j", matrix, matrix) / matrix.shape[0])
    matrix /= deviations
    return means, deviations


def principal_direction(matrix: numpy.ndarray) -> numpy.ndarray:
    direction = numpy.ones(matrix.shape[1])
    for _ in range(ITERATIONS):
        direction = (matrix @ direction) @ matrix
        direction /= numpy.linalg.norm(direction)
    return direction


def correlations(matrix: numpy.ndarray) -> numpy.ndarray:
    block = numpy.zeros((CORRELATED, CORRELATED))
    for first in range(0, matrix.shape[0], BATCH):
        part = matrix[first:first + BATCH, :CORRELATED]
        block += part.T @ part
    return block / matrix.shape[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--columns", type=int, required=True)
    parser.add_argument("--output", required=True)
    wanted = parser.parse_args()

    matrix = numpy.empty((wanted.rows, wanted.columns))
    fill(matrix)
    means, deviations = standardize(matrix)
    direction = principal_direction(matrix)
    block = correlations(matrix)
    digest = numpy.frombuffer(hashlib.sha256(matrix).digest(), dtype=numpy.uint8)
    numpy.savez(wanted.output, means=means, deviations=deviations, direction=direction, block=block,
                digest=digest)


if __name__ == "__main__":
    main()
