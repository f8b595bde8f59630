"""Turns a trained net into one self-contained ONNX file and runs it in ONNX Runtime.

Invariants: opset 17, IR version 8, weights inside the file, dynamic batch dimension `N`, no path or
stack trace of the machine that exported it.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from borrowed import RecipeError
from clothes import SIDE, to_batch

OPSET = 17
IR_VERSION = 8
MAX_BYTES = 1_200_000
BATCH = 500


def to_onnx(net: nn.Module) -> bytes:
    """The file for a net in evaluation mode, image float32 [N,1,28,28] -> logits float32 [N,10]."""
    for noisy in ("torch.onnx", "onnxscript"):  # both warn that opset 17 is reached by conversion from 18
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (torch.zeros(2, 1, SIDE, SIDE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            verbose=False,
        )
    proto = program.model_proto
    proto.ir_version = IR_VERSION
    proto.ClearField("metadata_props")
    graph = proto.graph
    for part in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.checker.check_model(proto, full_check=True)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    if versions != {"": OPSET}:
        raise RecipeError(f"the exporter wrote opsets {versions}, not {OPSET}: install the pinned requirements")
    content = proto.SerializeToString(deterministic=True)
    if len(content) >= MAX_BYTES:
        raise RecipeError(f"the ONNX file has {len(content)} bytes, the limit is {MAX_BYTES}")
    return content


def run_onnx(content: bytes, pixels: np.ndarray) -> np.ndarray:
    """Logits float32 [N,10] that ONNX Runtime on the CPU gives for images uint8 [N,28,28]."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    parts = [
        session.run(["logits"], {"image": to_batch(pixels[at : at + BATCH]).numpy()})[0]
        for at in range(0, len(pixels), BATCH)
    ]
    return np.concatenate(parts)
