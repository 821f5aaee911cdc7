# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A fuzzer: random small modules, compiled in every way and compared with eager PyTorch.

`asic-fuzz --count 100` draws, judges and reports; a finding is a Python file that
`asic-compile FILE:make` compiles and `asic-fuzz --replay FILE` judges again.
"""
