"""Writes the model contract of a trained version: everything a device needs beside the weights.

Invariants: digests, sizes and metrics come from the run that made the files; pre-processing comes from
the constants that training used. Schema: protocol/model-contract.ts.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from borrowed import DIGITS, MODULES, digest_of
from clothes import FILES, LABELS, MEAN, SCALE, SIDE, STD

RECIPE = Path(__file__).resolve().parent
CREATED_BY = "control-plane/training/recipes/fashion"
GOLDEN_COUNT = 32
GOLDEN_MAX_ABS = 0.01


def contract_of(
    weights: bytes,
    golden: bytes,
    data: Path,
    hyper_parameters: dict[str, object],
    seed: int,
    metrics: dict[str, float],
) -> bytes:
    """The contract of one version, as it is written to disk."""
    contract = {
        "schema": "holdfast.model-contract/v1",
        "model": "fashion",
        "weights": _blob(weights),
        "golden": {
            **_blob(golden),
            "count": GOLDEN_COUNT,
            "tolerance": {"maxAbs": GOLDEN_MAX_ABS, "minTop1Agreement": 1},
        },
        "inputs": [{"name": "image", "dtype": "FP32", "shape": [-1, 1, SIDE, SIDE]}],
        "outputs": [{"name": "logits", "dtype": "FP32", "shape": [-1, len(LABELS)]}],
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
        "labels": list(LABELS),
        "budgets": {"p95LatencyMs": 50, "peakMemoryBytes": 512 * 1024 * 1024, "maxDisagreementRate": 0.05},
        "lineage": {
            "parents": [],
            "dataset": {"name": "fashion-mnist", "sha256": digest_of(data, FILES)},
            "codeSha256": code_digest(),
            "trainingJob": None,
            "hyperParameters": hyper_parameters,
            "seed": seed,
            "metrics": metrics,
            "createdBy": CREATED_BY,
        },
    }
    return (json.dumps(contract, indent=2) + "\n").encode()


def code_digest() -> str:
    """One digest over the code: this folder's Python files in name order, its requirements.txt, what is borrowed."""
    own = (*sorted(path.name for path in RECIPE.glob("*.py")), "requirements.txt")
    borrowed = (*(f"../{DIGITS.name}/{name}.py" for name in MODULES), f"../{DIGITS.name}/requirements.txt")
    return digest_of(RECIPE, (*own, *borrowed))


def _blob(content: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "sizeBytes": len(content)}
