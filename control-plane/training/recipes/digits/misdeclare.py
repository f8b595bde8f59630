"""Makes the demo's faulty version: another version's files under pre-processing that training never used.

Only `preprocess.mean` and `preprocess.std` change, the mistake of taking them from another project, so
weights and golden vectors stay right and the contract is wrong. Needs the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from durable import write_durably
from errors import RecipeError

MAX_CONTRACT_BYTES = 1_000_000


def misdeclare(source: Path, out: Path, mean: float, std: float) -> None:
    """Writes out/contract.json and a copy of the golden vectors; the weights stay where they are."""
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise RecipeError("--mean must be finite and --std finite and above 0")
    for name in ("contract.json", "golden.safetensors"):
        if not (source / name).is_file():
            raise RecipeError(f"{source} holds no {name}: --source names the output folder of train.py")
    if (source / "contract.json").stat().st_size > MAX_CONTRACT_BYTES:
        raise RecipeError(f"{source / 'contract.json'} is too large for a contract")
    contract = json.loads((source / "contract.json").read_bytes())
    preprocess = contract["preprocess"]
    if (preprocess["mean"], preprocess["std"]) == ([mean], [std]):
        raise RecipeError("--mean and --std are the right ones: this is no faulty version")
    preprocess["mean"], preprocess["std"] = [mean], [std]
    out.mkdir(parents=True, exist_ok=True)
    write_durably(out / "golden.safetensors", (source / "golden.safetensors").read_bytes())
    write_durably(out / "contract.json", (json.dumps(contract, indent=2) + "\n").encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the right version")
    parser.add_argument("--out", type=Path, required=True, help="folder for the faulty version")
    parser.add_argument("--mean", type=float, required=True)
    parser.add_argument("--std", type=float, required=True)
    options = parser.parse_args()
    try:
        misdeclare(options.source, options.out, options.mean, options.std)
    except (RecipeError, OSError, KeyError, json.JSONDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
