"""Reads MNIST's raw IDX files and hands out batches.

Invariants: a file whose header and length disagree is refused; pixels stay uint8 [N,28,28] until a batch
is made of them, and a batch is float32 [N,1,28,28] = (pixel / 255 - MEAN) / STD.
Source: the IDX format as given with the MNIST database (big-endian header, then bytes).
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from errors import RecipeError

SIDE = 28
CLASSES = 10
SCALE = 1 / 255
MEAN = 0.1307
STD = 0.3081
MAX_IMAGES = 1_000_000
MAGIC_IMAGES = 2051
MAGIC_LABELS = 2049
FILES = (
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class Split:
    """Images uint8 [N,28,28] and their labels uint8 [N], each 0..9."""

    images: np.ndarray
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> Split:
        """The images at these positions, in this order."""
        return Split(self.images[indices], self.labels[indices])


def digest_of(folder: Path, names: tuple[str, ...]) -> str:
    """One digest for several files: sha256 of what `sha256sum NAME...` prints for them in this order."""
    lines = (f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load(folder: Path) -> tuple[Split, Split]:
    """The training and the test split of the folder with the four raw files."""
    for name in FILES:
        if not (folder / name).is_file():
            raise RecipeError(f"{folder} holds no file {name}: --data names the folder of the raw MNIST files")
    return _split(folder, "train"), _split(folder, "t10k")


def _split(folder: Path, prefix: str) -> Split:
    images = _idx(folder / f"{prefix}-images-idx3-ubyte", MAGIC_IMAGES, (SIDE, SIDE))
    labels = _idx(folder / f"{prefix}-labels-idx1-ubyte", MAGIC_LABELS, ())
    if len(images) != len(labels):
        raise RecipeError(f"{prefix}: {len(images)} images but {len(labels)} labels; fetch the files again")
    if labels.max() >= CLASSES:
        raise RecipeError(f"{prefix}: label {labels.max()} is not a digit; fetch the files again")
    return Split(images, labels)


def _idx(path: Path, magic: int, item: tuple[int, ...]) -> np.ndarray:
    header_bytes = 8 + 4 * len(item)
    item_bytes = math.prod(item)
    if path.stat().st_size > header_bytes + MAX_IMAGES * item_bytes:
        raise RecipeError(f"{path.name} is larger than {MAX_IMAGES} items; it is not an MNIST file")
    raw = path.read_bytes()
    if len(raw) < header_bytes:
        raise RecipeError(f"{path.name} ends inside its header; fetch it again")
    found, count, *sides = struct.unpack(f">{2 + len(item)}I", raw[:header_bytes])
    if found != magic or tuple(sides) != item:
        raise RecipeError(f"{path.name} is not the MNIST file of that name (magic {found}, item shape {sides})")
    if count == 0 or len(raw) != header_bytes + count * item_bytes:
        raise RecipeError(f"{path.name} says {count} items but holds {len(raw)} bytes; fetch it again")
    return np.frombuffer(raw, np.uint8, offset=header_bytes).reshape(count, *item)


def golden_indices(train: Split, count: int) -> np.ndarray:
    """Positions of the golden images: the first of each digit in training order, digits in turn."""
    by_digit = [np.flatnonzero(train.labels == digit) for digit in range(CLASSES)]
    if min(len(positions) for positions in by_digit) * CLASSES < count:
        raise RecipeError(f"the training split has too few images of some digit for {count} golden vectors")
    return np.sort([by_digit[turn % CLASSES][turn // CLASSES] for turn in range(count)])


def subset(train: Split, count: int, always: np.ndarray, seed: int) -> Split:
    """`count` training images: those at `always`, then others drawn without replacement by `seed`."""
    if not len(always) <= count <= len(train.labels):
        raise RecipeError(f"--images must be {len(always)}..{len(train.labels)}, not {count}")
    others = np.setdiff1d(np.arange(len(train.labels)), always)
    drawn = np.random.default_rng(seed).permutation(others)[: count - len(always)]
    return train.take(np.concatenate([always, drawn]))


def to_batch(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [N,28,28] -> normalised float32 [N,1,28,28]."""
    return normalise(torch.from_numpy(pixels.astype(np.float32)).unsqueeze(1) * SCALE)


def normalise(unit: torch.Tensor) -> torch.Tensor:
    """[N,1,28,28] of 0..1 -> what the model reads."""
    return (unit - MEAN) / STD


def augmented_batch(pixels: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    """As `to_batch`, each image turned by up to 10 degrees, scaled by up to 10 %, shifted by up to 2 pixels."""
    unit = torch.from_numpy(pixels.astype(np.float32)).unsqueeze(1) * SCALE
    count = len(unit)

    def uniform(limit: float) -> torch.Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, zoom = uniform(math.radians(10)), 1 + uniform(0.1)
    across, down = uniform(4 / SIDE), uniform(4 / SIDE)  # the grid is 2 wide: 4/28 of it is 2 pixels
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack([torch.stack([cosine, -sine, across], 1), torch.stack([sine, cosine, down], 1)], 1)
    grid = functional.affine_grid(theta, list(unit.shape), align_corners=False)
    return normalise(functional.grid_sample(unit, grid, align_corners=False))
