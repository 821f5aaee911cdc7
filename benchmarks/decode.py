# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One decoding step of a language model: what compiling and running it costs.

    python -m benchmarks.decode [--layers 22] [--length 256] [--target edge-tx1]
        [--quantize int4-rows] [--json OUT]

The model has the shape of TinyLlama-1.1B and random weights in bfloat16, quantised to int8, or by
torchao to int4; 22 layers need 6 GiB of memory and minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import asic
from benchmarks.nets.decoder import TINY_LLAMA, Decoder, DecoderConfig
from benchmarks.record import machine, versions


def build(config: DecoderConfig) -> Decoder:
    """The model in bfloat16, made so that there is never a float32 copy."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        return Decoder(config).to(torch.bfloat16).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def peak() -> float:
    """GiB that the process had at most until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(config: DecoderConfig, target: str, quantize: str | None) -> dict[str, Any]:
    """Compiles the model, runs two steps and compares the second with PyTorch."""
    model = build(config)
    if quantize == "int4-rows":
        from torchao.quantization import IntxWeightOnlyConfig, PerAxis, quantize_

        quantize_(model, IntxWeightOnlyConfig(torch.int4, PerAxis(0)))
        quantize = None
    result: dict[str, Any] = {"config": dataclasses.asdict(config), "model_gib": peak()}
    args = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    start, busy = time.perf_counter(), time.process_time()
    compiled = asic.compile(model, args, target=target, quantize=quantize)
    result |= {
        "compile_seconds": time.perf_counter() - start,
        "compile_cpu_seconds": time.process_time() - busy,
        "compile_peak_gib": peak(),
        "report": compiled.report().to_dict(),
        "state_bytes": compiled.state.nbytes,
    }
    for position, token in enumerate((1, 2)):
        inputs = (torch.tensor([[token]]), torch.tensor([position]))
        start = time.perf_counter()
        ours = compiled(*inputs).float()
        result["step_seconds"] = time.perf_counter() - start
        with torch.no_grad():
            theirs = model(*inputs).float()
    result["run_peak_gib"] = peak()
    result["cosine"] = float(torch.cosine_similarity(ours.flatten(), theirs.flatten(), 0))
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=TINY_LLAMA.layers)
    parser.add_argument("--length", type=int, default=TINY_LLAMA.length, help="tokens in the cache")
    parser.add_argument("--target", default="edge-tx1")
    kinds = ["int8-weight", "int4-rows", "none"]
    parser.add_argument("--quantize", default="int8-weight", choices=kinds)
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args(argv)
    config = dataclasses.replace(TINY_LLAMA, layers=options.layers, length=options.length)
    quantize = None if options.quantize == "none" else options.quantize
    result = measure(config, options.target, quantize)
    report = result["report"]
    phases = ", ".join(f"{n} {s:.1f}" for n, s in report["phase_seconds"].items() if s >= 0.1)
    moved = (report["dram_read_bytes"] + report["dram_write_bytes"]) / 1e6
    print(
        f"compiled in {result['compile_seconds']:.1f} s ({result['compile_cpu_seconds']:.1f} s of "
        f"processor): {phases}\n"
        f"peak {result['compile_peak_gib']:.2f} GiB, of which the model {result['model_gib']:.2f}; "
        f"with a run {result['run_peak_gib']:.2f}\n"
        f"{report['cycles']:,} cycles = {report['latency_ms']:.2f} ms, "
        f"{report['bound_ratio']:.3f} of the bound; {moved:,.1f} MB moved, "
        f"{report['weights_bytes'] / 1e6:,.1f} MB of weights, "
        f"{result['state_bytes'] / 1e6:,.1f} MB of cache\n"
        f"a step on the emulator takes {result['step_seconds']:.2f} s; cosine to PyTorch's "
        f"bfloat16 {result['cosine']:.6f}"
    )
    if options.json:
        result |= {"versions": versions(), "machine": machine()}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
