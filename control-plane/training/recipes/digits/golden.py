"""Writes and reads golden vectors: encoded images with the raw logits that training saw for them.

Format: safetensors; `input.<i>` U8 [bytes of a grey 28x28 PNG], `output.<i>.logits` F32 [10].
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from safetensors.numpy import save


def encode(pixels: np.ndarray, logits: np.ndarray) -> bytes:
    """The bundle for images uint8 [N,28,28] and their logits float32 [N,10]."""
    tensors: dict[str, np.ndarray] = {}
    for index, (image, output) in enumerate(zip(pixels, logits, strict=True)):
        tensors[f"input.{index}"] = np.frombuffer(_png(image), np.uint8)
        tensors[f"output.{index}.logits"] = np.ascontiguousarray(output, np.float32)
    return save(tensors)


def _png(pixels: np.ndarray) -> bytes:
    """Lossless grey PNG of uint8 [H,W]."""
    out = io.BytesIO()
    Image.fromarray(pixels, mode="L").save(out, format="PNG", optimize=True)
    return out.getvalue()
