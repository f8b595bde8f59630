"""A small MobileNetV2: image [N,1,28,28] -> logits [N,10].

Inverted residual blocks: a 1x1 convolution widens, a depthwise 3x3 filters, a 1x1 narrows; where shapes
allow, the block's input is added. Source: M. Sandler et al., MobileNetV2, CVPR 2018.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clothes import LABELS

# Feature maps: 28x28, from the stem's second layer on 14x14, from the second block on 7x7.
STEM = ((16, 1), (32, 2))  # channels out, stride
BLOCKS = ((32, 2, 1), (64, 3, 2), (64, 3, 1), (64, 3, 1), (96, 3, 1))  # channels out, widening, stride
HEAD = 192


class Layer(nn.Sequential):
    """Convolution, batch normalisation and, unless it is a linear bottleneck, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, linear: bool = False):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs), nn.Identity() if linear else nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, widening: int, stride: int) -> None:
        super().__init__()
        wide = inputs * widening
        self.adds_input = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            Layer(inputs, wide, 1), Layer(wide, wide, 3, stride, wide), Layer(wide, outputs, 1, linear=True)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.body(features) if self.adds_input else self.body(features)


class FashionNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        channels = 1
        layers: list[nn.Module] = []
        for outputs, stride in STEM:
            layers.append(Layer(channels, outputs, 3, stride))
            channels = outputs
        for outputs, widening, stride in BLOCKS:
            layers.append(InvertedResidual(channels, outputs, widening, stride))
            channels = outputs
        self.features = nn.Sequential(*layers, Layer(channels, HEAD, 1))
        self.pool = nn.AvgPool2d(7)
        self.head = nn.Linear(HEAD, len(LABELS))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.features(image)).flatten(1))


def folded(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose batch normalisation is folded into the convolution before it."""
    plain = copy.deepcopy(model).eval()
    for layer in plain.modules():
        if isinstance(layer, Layer):
            layer[0], layer[1] = fuse_conv_bn_eval(layer[0], layer[1]), nn.Identity()
    return plain
