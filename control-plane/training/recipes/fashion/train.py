"""Trains one version of the clothes reader: weights.onnx, golden.safetensors and contract.json in --out.

The same arguments on the same machine with the same --threads give the same files. Progress goes to
standard output, one line of `key=value` pairs at a time; what is wrong goes to standard error, exit 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import torch

from borrowed import RecipeError, encode, golden_indices, say, write_durably
from clothes import load
from learning import Plan, fit, logits_of
from network import folded
from onnx_file import run_onnx, to_onnx
from version import GOLDEN_COUNT, GOLDEN_MAX_ABS, contract_of

PLAN = Plan(epochs=8, batch=256, learning_rate=0.01, weight_decay=0.01, label_smoothing=0.0)


def run(data: Path, out: Path, plan: Plan, seed: int, threads: int) -> None:
    """Trains, proves and writes one version; no file is written unless all of them are right."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA is deterministic only with this
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = load(data)
    shown = train.take(golden_indices(train, GOLDEN_COUNT))
    out.mkdir(parents=True, exist_ok=True)
    say("start", seed=seed, device=device.type, **dataclasses.asdict(plan))

    net = folded(fit(train, plan, seed, device))
    accuracy = float((logits_of(net, test.images).argmax(1) == test.labels).mean())
    weights = to_onnx(net)
    logits = logits_of(net, shown.images)
    error = float(np.abs(run_onnx(weights, shown.images) - logits).max())
    say("golden", right=f"{int((logits.argmax(1) == shown.labels).sum())}/{GOLDEN_COUNT}", runtimeMaxAbs=f"{error:.2e}")
    if not error <= GOLDEN_MAX_ABS:
        raise RecipeError(f"ONNX Runtime's logits differ from PyTorch's by {error:.4f} (limit {GOLDEN_MAX_ABS})")
    golden = encode(shown.images, logits)
    hyper_parameters = {camel(key): value for key, value in dataclasses.asdict(plan).items()}
    write_durably(out / "weights.onnx", weights)
    write_durably(out / "golden.safetensors", golden)
    write_durably(
        out / "contract.json", contract_of(weights, golden, data, hyper_parameters, seed, {"testAccuracy": accuracy})
    )
    say("done", testAccuracy=f"{accuracy:.4f}", weightsBytes=len(weights), goldenBytes=len(golden))


def camel(name: str) -> str:
    """snake_case to the camelCase of the contract."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the four packed Fashion-MNIST files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the version's three files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=PLAN.epochs, help=f"1..1000 (default {PLAN.epochs})")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads, 1..256 (default 2)")
    options = parser.parse_args()
    for name, low, high in (("seed", 0, 2**31 - 1), ("epochs", 1, 1000), ("threads", 1, 256)):
        if not low <= getattr(options, name) <= high:
            parser.error(f"--{name} must be {low}..{high}")
    try:
        run(options.data, options.out, dataclasses.replace(PLAN, epochs=options.epochs), options.seed, options.threads)
    except (RecipeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
