"""Writes the model contract of a trained version: everything a device needs beside the weights.

Invariants: digests, sizes and metrics come from the run that made the files; pre-processing comes from
the constants that training used. Schema: protocol/model-contract.ts.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from data import CLASSES, FILES, MEAN, SCALE, SIDE, STD, digest_of

RECIPE = Path(__file__).resolve().parent
CREATED_BY = "control-plane/training/recipes/digits"
GOLDEN_COUNT = 32
GOLDEN_MAX_ABS = 0.01


def contract_of(
    weights: bytes,
    golden: bytes,
    data: Path,
    hyper_parameters: dict[str, object],
    seed: int,
    metrics: dict[str, float],
) -> dict[str, object]:
    """The contract of one version, as plain JSON data."""
    return {
        "schema": "holdfast.model-contract/v1",
        "model": "digits",
        "weights": _blob(weights),
        "golden": {
            **_blob(golden),
            "count": GOLDEN_COUNT,
            "tolerance": {"maxAbs": GOLDEN_MAX_ABS, "minTop1Agreement": 1},
        },
        "inputs": [{"name": "image", "dtype": "FP32", "shape": [-1, 1, SIDE, SIDE]}],
        "outputs": [{"name": "logits", "dtype": "FP32", "shape": [-1, CLASSES]}],
        "preprocess": {
            "kind": "image",
            "width": SIDE,
            "height": SIDE,
            "resize": "stretch",
            "colour": "gray",
            "scale": SCALE,
            "mean": [MEAN],
            "std": [STD],
            "layout": "nchw",
        },
        "postprocess": {
            "kind": "classify",
            "output": "logits",
            "activation": "softmax",
            "topK": 3,
            "minConfidence": 0,
        },
        "labels": [str(digit) for digit in range(CLASSES)],
        "budgets": {"p95LatencyMs": 50, "peakMemoryBytes": 512 * 1024 * 1024, "maxDisagreementRate": 0.03},
        "lineage": {
            "parents": [],
            "dataset": {"name": "mnist", "sha256": digest_of(data, FILES)},
            "codeSha256": code_digest(),
            "trainingJob": None,
            "hyperParameters": hyper_parameters,
            "seed": seed,
            "metrics": metrics,
            "createdBy": CREATED_BY,
        },
    }


def code_digest() -> str:
    """One digest over this recipe's code: its Python files in name order, then requirements.txt."""
    sources = sorted(path.name for path in RECIPE.glob("*.py"))
    return digest_of(RECIPE, (*sources, "requirements.txt"))


def to_json(contract: dict[str, object]) -> bytes:
    """The contract as it is written to disk."""
    return (json.dumps(contract, indent=2) + "\n").encode()


def _blob(content: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "sizeBytes": len(content)}
