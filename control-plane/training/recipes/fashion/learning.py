"""Fits the network to a split, and reads its logits.

Invariants: the same split, plan, seed, machine and thread count give the same weights; the order of images,
the first weights and the augmentation all come from the seed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from borrowed import Split, say
from clothes import augmented_batch, to_batch
from network import FashionNet

PROGRESS_SECONDS = 5.0
EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Plan:
    """The hyper-parameters of a run."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float


def fit(split: Split, plan: Plan, seed: int, device: torch.device) -> FashionNet:
    """A net trained by AdamW under a one-cycle learning rate, back on the CPU in evaluation mode."""
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    net = FashionNet().to(device, memory_format=torch.channels_last).train()
    steps = -(-len(split.labels) // plan.batch) * plan.epochs
    optimizer = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps)
    started = told = time.monotonic()
    step = 0
    for epoch in range(plan.epochs):
        order = chance.permutation(len(split.labels))
        for at in range(0, len(order), plan.batch):
            chosen = split.take(order[at : at + plan.batch])
            batch = augmented_batch(chosen.images, chance).to(device, memory_format=torch.channels_last)
            targets = torch.from_numpy(chosen.labels.astype(np.int64)).to(device)
            loss = functional.cross_entropy(net(batch), targets, label_smoothing=plan.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            now = time.monotonic()
            if now - told >= PROGRESS_SECONDS or step == steps:
                told = now
                progress = {"epoch": f"{epoch + 1}/{plan.epochs}", "step": f"{step}/{steps}"}
                say("train", **progress, loss=f"{loss.item():.4f}", seconds=f"{now - started:.0f}")
    return net.to("cpu", memory_format=torch.contiguous_format).eval()


@torch.inference_mode()
def logits_of(model: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Logits float32 [N,10] as PyTorch computes them for images uint8 [N,28,28]."""
    parts = [model(to_batch(pixels[at : at + EVALUATION_BATCH])) for at in range(0, len(pixels), EVALUATION_BATCH)]
    return torch.cat(parts).numpy()
