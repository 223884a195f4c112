#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates tokens with a small decoder-only transformer of random weights, with a KV cache."""
import argparse

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, width: int, heads: int, context: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        self.register_buffer("keys", torch.zeros(heads, context, width // heads))
        self.register_buffer("values", torch.zeros(heads, context, width // heads))

    def forward(self, x: torch.Tensor, at: int) -> torch.Tensor:
        tokens, width = x.shape
        q, k, v = (part.view(tokens, self.heads, -1).transpose(0, 1)
                   for part in self.qkv(self.norm1(x)).split(width, dim=1))
        end = at + tokens
        self.keys[:, at:end], self.values[:, at:end] = k, v
        mixed = functional.scaled_dot_product_attention(
            q, self.keys[:, :end], self.values[:, :end], is_causal=tokens > 1)
        x = x + self.out(mixed.transpose(0, 1).reshape(tokens, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=48)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    context = options.prompt + options.tokens
    embedding = nn.Embedding(options.vocabulary, options.width)
    blocks = nn.ModuleList(Block(options.width, options.heads, context)
                           for _ in range(options.layers))
    head = nn.Linear(options.width, options.vocabulary, bias=False)

    tokens = torch.randint(options.vocabulary, (options.prompt,))
    at = 0
    for _ in range(options.tokens):
        x = embedding(tokens)
        for block in blocks:
            x = block(x, at)
        at += len(tokens)
        # Sampled, so that random weights do not say the same token for ever.
        tokens = torch.multinomial(torch.softmax(head(x[-1:]), dim=-1), 1).view(1)
    print(f"{at} tokens, last {int(tokens)}")


if __name__ == "__main__":
    main()
