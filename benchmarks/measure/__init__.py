# SPDX-License-Identifier: Apache-2.0
"""What benchmarks/run, table and sweep share: the machine, its limits, the programs."""
