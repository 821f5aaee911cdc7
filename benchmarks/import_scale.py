# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What importing a model costs as models grow: seconds and memory, each in a process of its own.

    python -m benchmarks.import_scale [--net NAME …] [--repeat N] [--json OUT]

Models have random weights; "llama_8b" has none, it lies on the meta device. The memory is
that of the whole process, model included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.nets.decoder import Decoder, DecoderConfig
from benchmarks.record import machine, versions

#: Shapes of decoders; the last one as in Llama 3.
MEDIUM = DecoderConfig(24, 1024, 16, 4, 2816, 32000, 256)
LARGE = DecoderConfig(32, 4096, 32, 8, 14336, 128256, 256)


def _net(name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    from benchmarks import nets

    return nets.get(name)


def decoder(config: DecoderConfig) -> tuple[nn.Module, tuple[Any, ...]]:
    """A decoder in bfloat16 with an example token and position."""
    model = Decoder(config).to(torch.bfloat16).eval()
    return model, (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


def on_meta(config: DecoderConfig) -> tuple[nn.Module, tuple[Any, ...]]:
    """The same without weights; caches and tables, which no checkpoint holds, are real."""
    small = Decoder(DecoderConfig(1, config.size, 1, 1, 8, 8, config.length))
    with torch.device("meta"):
        model, args = decoder(config)
    model.cosine, model.sine = small.cosine, small.sine
    for layer in model.layers:
        for name in ("keys", "values"):
            cache = getattr(layer.attention, name)
            setattr(layer.attention, name, torch.zeros(cache.shape, dtype=cache.dtype))
    return model, args


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Any, ...]]]] = {
    "resnet50": lambda: _net("resnet50"),
    "minilm": lambda: _net("minilm"),
    "decoder_350m": lambda: decoder(MEDIUM),
    "llama_8b": lambda: on_meta(LARGE),
}


def measure(name: str) -> dict[str, Any]:
    """Imports the model in this process."""
    from asic.frontend import import_model

    model, args = MODELS[name]()
    start, busy = time.perf_counter(), time.process_time()
    imported = import_model(model, args)
    return {
        "model": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - busy,
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "text_mib": len(imported.mlir) / 2**20,
        "resources": len(imported.weights) + len(imported.without_data),
    }


def measure_apart(name: str) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.import_scale", "--in-process", name]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--net", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--repeat", type=int, default=1, help="rounds over all models")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--in-process", choices=list(MODELS), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.in_process:
        print(json.dumps(measure(options.in_process)))
        return 0
    rows = []
    print(f"{'model':14} {'parameters':>11} {'seconds':>8} {'cpu s':>6} {'GiB':>6} {'text MiB':>9}")
    for _ in range(options.repeat):
        for name in options.net:
            row = measure_apart(name)
            rows.append(row)
            print(
                f"{name:14} {row['parameters'] / 1e6:9.1f} M {row['seconds']:8.1f} "
                f"{row['cpu_seconds']:6.1f} {row['peak_rss_gib']:6.2f} {row['text_mib']:9.2f}",
                flush=True,
            )
    if options.json:
        result = {"runs": rows, "versions": versions(), "machine": machine()}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
