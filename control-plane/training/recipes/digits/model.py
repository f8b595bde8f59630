"""The digit reader: a plain convolutional network, image [N,1,28,28] -> logits [N,10].

Five of its seven convolutions work at full resolution: they cost time (31 million multiply-adds an image)
but few weights (59 thousand), so a device's latency is worth measuring while the file stays small.
Only Conv, Relu, MaxPool and a linear layer remain after folding, all of which quantize to int8.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CHANNELS = 32
FULL_RESOLUTION_LAYERS = 5


def _layer(inputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, CHANNELS, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(CHANNELS), nn.ReLU()]


class DigitReader(nn.Module):
    """One tower. Feature maps: 28x28 five times, then 14x14, 7x7, 3x3, each with 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        layers = _layer(1)
        for _ in range(FULL_RESOLUTION_LAYERS - 1):
            layers += _layer(CHANNELS)
        for _ in range(2):
            layers += [nn.MaxPool2d(2), *_layer(CHANNELS)]
        self.features = nn.Sequential(*layers, nn.MaxPool2d(2))
        self.head = nn.Linear(CHANNELS * 3 * 3, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(image).flatten(1))


class Ensemble(nn.Module):
    """Towers trained apart, their logits averaged: twice the work of one for two towers."""

    def __init__(self, towers: list[DigitReader]) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        total = self.towers[0](image)
        for tower in list(self.towers)[1:]:
            total = total + tower(image)
        return total / len(self.towers)


def folded(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose batch normalisation is folded into the convolution before it."""
    plain = copy.deepcopy(model).eval()
    for module in list(plain.modules()):
        if isinstance(module, DigitReader):
            module.features = nn.Sequential(*_fold(list(module.features)))
    return plain


def _fold(layers: list[nn.Module]) -> list[nn.Module]:
    out: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            out[-1] = fuse_conv_bn_eval(out[-1], layer)
        else:
            out.append(layer)
    return out
