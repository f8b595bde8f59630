"""Trains one version of the digit reader: weights.onnx, golden.safetensors and contract.json in --out.

The same arguments on the same machine with the same --threads give the same files. Progress goes to
standard output, one line of `key=value` pairs at a time; what is wrong goes to standard error, exit 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from contract import GOLDEN_COUNT, GOLDEN_MAX_ABS, contract_of, to_json
from data import Split, golden_indices, load, subset
from durable import write_durably
from errors import RecipeError
from export import run_onnx, to_onnx
from fitting import Plan, fit, logits_of, say
from golden import encode
from model import Ensemble

BASE = Plan(epochs=1, images=30_000, towers=1, augment=False, batch=128, learning_rate=0.01, weight_decay=1e-4)
VARIANTS = {
    "base": BASE,
    "ensemble": dataclasses.replace(BASE, towers=2),
    "few-shot": dataclasses.replace(BASE, epochs=12, images=100, batch=16, learning_rate=0.003),
    "better": dataclasses.replace(BASE, epochs=4, images=60_000, augment=True),
}


def run(data: Path, out: Path, variant: str, plan: Plan, seed: int, threads: int) -> None:
    """Trains, proves and writes one version; no file is written unless all of them are right."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA is deterministic only with this
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = load(data)
    chosen = golden_indices(train, GOLDEN_COUNT)
    split = subset(train, plan.images, chosen, seed)
    out.mkdir(parents=True, exist_ok=True)
    say("start", variant=variant, seed=seed, device=device.type, **dataclasses.asdict(plan))

    towers = [fit(split, plan, seed + at, device, f"{at + 1}/{plan.towers}") for at in range(plan.towers)]
    model = towers[0] if len(towers) == 1 else Ensemble(towers).eval()
    accuracy = float((logits_of(model, test.images).argmax(1) == test.labels).mean())
    weights = to_onnx(model)
    golden = proven_golden(model, weights, train.take(chosen))

    hyper_parameters = {"variant": variant, **{camel(key): value for key, value in dataclasses.asdict(plan).items()}}
    contract = contract_of(weights, golden, data, hyper_parameters, seed, {"testAccuracy": accuracy})
    write_durably(out / "weights.onnx", weights)
    write_durably(out / "golden.safetensors", golden)
    write_durably(out / "contract.json", to_json(contract))
    say("done", testAccuracy=f"{accuracy:.4f}", weightsBytes=len(weights), goldenBytes=len(golden))


def proven_golden(model: nn.Module, weights: bytes, images: Split) -> bytes:
    """The golden bundle; refused where ONNX Runtime is not within the tolerance that the contract promises."""
    logits = logits_of(model, images.images)
    error = float(np.abs(run_onnx(weights, images.images) - logits).max())
    right = int((logits.argmax(1) == images.labels).sum())
    say("golden", right=f"{right}/{len(images.labels)}", runtimeMaxAbs=f"{error:.2e}")
    if not error <= GOLDEN_MAX_ABS:
        raise RecipeError(f"ONNX Runtime's logits differ from PyTorch's by {error:.4f} (limit {GOLDEN_MAX_ABS})")
    return encode(images.images, logits)


def camel(name: str) -> str:
    """snake_case to the camelCase of the contract."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number low..high."""

    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {low}..{high}, not {value}")
        return value

    parse.__name__ = "whole number"
    return parse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the four raw MNIST files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the version's three files")
    parser.add_argument("--variant", choices=sorted(VARIANTS), required=True)
    parser.add_argument("--seed", type=whole(0, 2**31 - 1), default=1)
    parser.add_argument("--epochs", type=whole(1, 1000), help="default: the variant's")
    parser.add_argument("--images", type=whole(1, 1_000_000), help="training images; default: the variant's")
    parser.add_argument("--batch", type=whole(2, 4096), help="default: the variant's")
    parser.add_argument("--threads", type=whole(1, 256), default=2, help="CPU threads (default 2)")
    options = parser.parse_args()
    given = {name: value for name in ("epochs", "images", "batch") if (value := getattr(options, name)) is not None}
    plan = dataclasses.replace(VARIANTS[options.variant], **given)
    try:
        run(options.data, options.out, options.variant, plan, options.seed, options.threads)
    except (RecipeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
