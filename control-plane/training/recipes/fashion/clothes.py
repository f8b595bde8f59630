"""Reads Fashion-MNIST's packed IDX files and hands out batches.

Invariants: a file whose header and length disagree is refused; pixels stay uint8 [N,28,28] until a batch
is made of them, and a batch is float32 [N,1,28,28] = (pixel / 255 - MEAN) / STD.
Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, as Debian's `dataset-fashion-mnist` holds it.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import torch

from borrowed import RecipeError, Split

SIDE = 28
SCALE = 1 / 255
MEAN = 0.2860
STD = 0.3530
SHIFT = 2
LABELS = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
FILES = (
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
)
COUNTS = {"train": 60_000, "t10k": 10_000}
MAGIC_IMAGES = 2051
MAGIC_LABELS = 2049


def load(folder: Path) -> tuple[Split, Split]:
    """The training and the test split of the folder with the four packed files."""
    for name in FILES:
        if not (folder / name).is_file():
            raise RecipeError(f"{folder} holds no file {name}: --data names the folder of dataset-fashion-mnist")
    return _split(folder, "train"), _split(folder, "t10k")


def _split(folder: Path, prefix: str) -> Split:
    count = COUNTS[prefix]
    images = _idx(folder / f"{prefix}-images-idx3-ubyte.gz", MAGIC_IMAGES, (count, SIDE, SIDE))
    labels = _idx(folder / f"{prefix}-labels-idx1-ubyte.gz", MAGIC_LABELS, (count,))
    if labels.max() >= len(LABELS):
        raise RecipeError(f"{prefix}: label {labels.max()} is no class; install the package again")
    return Split(images, labels)


def _idx(path: Path, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    header_bytes = 4 + 4 * len(shape)
    wanted = header_bytes + math.prod(shape)
    try:
        with gzip.open(path) as packed:
            raw = packed.read(wanted + 1)
    except (EOFError, gzip.BadGzipFile) as cause:
        raise RecipeError(f"{path.name} is damaged; install the package again") from cause
    header = struct.unpack_from(f">{1 + len(shape)}I", raw) if len(raw) >= header_bytes else ()
    if header != (magic, *shape) or len(raw) != wanted:
        raise RecipeError(f"{path.name} is not the Fashion-MNIST file of that name (header {header})")
    return np.frombuffer(raw, np.uint8, offset=header_bytes).reshape(shape)


def to_batch(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [N,28,28] -> what the model reads, float32 [N,1,28,28]."""
    return (torch.from_numpy(pixels.astype(np.float32)).unsqueeze(1) * SCALE - MEAN) / STD


def augmented_batch(pixels: np.ndarray, chance: np.random.Generator) -> torch.Tensor:
    """As `to_batch`, each image mirrored half of the time and shifted by up to 2 pixels, black where it came from."""
    count = len(pixels)
    mirrored = np.where(chance.random((count, 1, 1)) < 0.5, pixels[:, :, ::-1], pixels)
    padded = np.pad(mirrored, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    down, across = chance.integers(0, 2 * SHIFT + 1, (2, count, 1, 1))
    rows = down + np.arange(SIDE).reshape(1, SIDE, 1)
    columns = across + np.arange(SIDE).reshape(1, 1, SIDE)
    return to_batch(padded[np.arange(count).reshape(count, 1, 1), rows, columns])
