#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Denoises an image with a small U-Net of random weights, a step at a time, with guidance."""
import argparse

import torch
from torch import nn
from torch.nn import functional


class Residual(nn.Module):
    def __init__(self, before: int, after: int, time: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, before), nn.GroupNorm(8, after)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.time = nn.Linear(time, after)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x, time):
        y = self.conv1(functional.silu(self.norm1(x))) + self.time(time)[:, :, None, None]
        return self.skip(x) + self.conv2(functional.silu(self.norm2(y)))


class UNet(nn.Module):
    def __init__(self, widths: list[int], time: int = 256):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, time), nn.SiLU(), nn.Linear(time, time))
        self.first = nn.Conv2d(4, widths[0], 3, padding=1)
        steps = list(zip(widths, widths[1:] + widths[-1:]))
        self.down = nn.ModuleList(Residual(before, after, time) for before, after in steps)
        self.middle = Residual(widths[-1], widths[-1], time)
        self.up = nn.ModuleList(Residual(2 * after, before, time)
                                for before, after in reversed(steps))
        self.last = nn.Conv2d(widths[0], 4, 3, padding=1)

    def forward(self, x, at):
        time = self.time(at)
        x = self.first(x)
        kept = []
        for block in self.down:
            x = block(x, time)
            kept.append(x)
            x = functional.avg_pool2d(x, 2)
        x = self.middle(x, time)
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2)
            x = block(torch.cat([x, kept.pop()], dim=1), time)
        return self.last(x)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256, 384])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    unet = UNet(options.widths)
    x = torch.randn(1, 4, options.side, options.side)
    for step in range(options.steps):
        at = torch.full((2, 1), 1 - step / options.steps)
        with_text, without = unet(x.repeat(2, 1, 1, 1), at).chunk(2)
        x = x - (without + 3 * (with_text - without)) / options.steps
    print(f"{options.steps} steps, mean {x.mean().item():.4f}")


if __name__ == "__main__":
    main()
