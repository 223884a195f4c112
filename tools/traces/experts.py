#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates tokens with a mixture of experts of random weights: in each layer a token goes to two
of them, and some are liked better than others."""
import argparse

import torch
from torch import nn
from torch.nn import functional


class Experts(nn.Module):
    def __init__(self, width: int, experts: int, used: int):
        super().__init__()
        self.used = used
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, width, bias=False)
        self.router = nn.Linear(width, experts)
        with torch.no_grad():
            self.router.bias.copy_(0.4 * torch.randn(experts))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(experts))
        self.down = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(experts))

    def forward(self, x):
        x = x + self.mix(self.norm(x))
        y = self.norm(x)
        weights, chosen = self.router(y).softmax(dim=-1).topk(self.used, dim=-1)
        for weight, expert in zip(weights[0], chosen[0].tolist()):
            x = x + weight * self.down[expert](functional.silu(self.up[expert](y)))
        return x


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--experts", type=int, default=16)
    parser.add_argument("--used", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--tokens", type=int, default=100)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    embedding = nn.Embedding(options.vocabulary, options.width)
    layers = nn.ModuleList(Experts(options.width, options.experts, options.used)
                           for _ in range(options.layers))
    head = nn.Linear(options.width, options.vocabulary, bias=False)
    token = torch.tensor([1])
    for _ in range(options.tokens):
        x = embedding(token)
        for layer in layers:
            x = layer(x)
        token = torch.multinomial(torch.softmax(head(x), dim=-1), 1).view(1)
    print(f"{options.tokens} tokens, last {int(token)}")


if __name__ == "__main__":
    main()
