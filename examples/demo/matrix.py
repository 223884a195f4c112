# SPDX-License-Identifier: Apache-2.0
"""NumPy over a matrix of 1 GiB made from a text: column means, centring, scaling, a product, norms.

usage: matrix.py TEXT OUTPUT
"""
import sys

import numpy

ROWS, COLUMNS = 16384, 8192  # x 8 bytes = 1 GiB


def main(text, output):
    source = numpy.memmap(text, dtype=numpy.uint8, mode="r")
    matrix = numpy.empty((ROWS, COLUMNS))
    for row in range(ROWS):
        matrix[row] = source[row * COLUMNS:(row + 1) * COLUMNS]
    means = matrix.mean(axis=0)
    matrix -= means
    deviations = numpy.sqrt(numpy.einsum("ij,ij->j", matrix, matrix) / ROWS)
    matrix /= numpy.where(deviations > 0, deviations, 1)
    product = matrix @ matrix[:8].T
    norms = numpy.einsum("ij,ij->i", matrix, matrix)
    with open(output, "wb") as out:
        for result in (means, deviations, product, norms, matrix[::64]):
            out.write(numpy.ascontiguousarray(result).tobytes())


main(*sys.argv[1:])
