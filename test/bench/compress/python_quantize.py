"""The reference as a process: onnxruntime's own Python tools, one model, one recipe.

Pinned: Python 3.11, onnx 1.23.2, onnxruntime 1.30.0, numpy 2.4.6.
Run: python python_quantize.py MODEL SAMPLES OUT RECIPE, where SAMPLES holds a folder a sample with `<input>.npy`
files and RECIPE is JSON: {"kind": "static", "activation", "symmetric", "perChannel", "reduceRange", "method"},
{"kind": "dynamic", "perChannel", "reduceRange"}, {"kind": "fp16"} or {"kind": "int4", "blockSize"}. With --versions
alone it prints what it runs with, JSON.
"""

import json
import logging
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx


def static(model, samples, out, recipe):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = {
        "minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }  # fmt: skip

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.folders = iter(sorted((entry for entry in samples.iterdir() if entry.is_dir()), key=lambda e: int(e.name)))

        def get_next(self):
            folder = next(self.folders, None)
            if folder is None:
                return None
            return {path.stem.replace("__", "/"): np.load(path) for path in folder.glob("*.npy")}

    quantize_static(
        model, out, Reader(), quant_format=QuantFormat.QDQ, weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8 if recipe["activation"] == "u8" else QuantType.QInt8,
        per_channel=recipe["perChannel"], reduce_range=recipe["reduceRange"], calibrate_method=methods[recipe["method"]],
        extra_options={"ActivationSymmetric": True} if recipe["symmetric"] else {},
    )  # fmt: skip


def dynamic(model, _samples, out, recipe):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        model, out, weight_type=QuantType.QInt8, per_channel=recipe["perChannel"], reduce_range=recipe["reduceRange"]
    )


def fp16(model, _samples, out, _recipe):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(model), keep_io_types=True), out)


def int4(model, _samples, out, recipe):
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=recipe["blockSize"], is_symmetric=True)
    quantizer = MatMulNBitsQuantizer(
        onnx.load(model), block_size=recipe["blockSize"], is_symmetric=True, algo_config=config
    )
    quantizer.process()
    onnx.save(quantizer.model.model, out)


if __name__ == "__main__":
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps({"python": platform.python_version(), **{n: version(n) for n in ("onnxruntime", "onnx", "numpy")}}))
        sys.exit()
    logging.disable(logging.WARNING)
    wanted = json.loads(sys.argv[4])
    kinds = {"static": static, "dynamic": dynamic, "fp16": fp16, "int4": int4}
    kinds[wanted["kind"]](sys.argv[1], Path(sys.argv[2]), sys.argv[3], wanted)
