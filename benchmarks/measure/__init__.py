# SPDX-License-Identifier: Apache-2.0
"""What benchmarks/run and benchmarks/table share: the machine, its limits, the programs."""
