#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a small transformer encoder with Adam on random tokens."""
import argparse

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    layer = nn.TransformerEncoderLayer(options.width, 6, 4 * options.width, dropout=0.0,
                                       batch_first=True, norm_first=True)
    model = nn.Sequential(nn.Embedding(options.vocabulary, options.width),
                          nn.TransformerEncoder(layer, options.layers,
                                                enable_nested_tensor=False),
                          nn.Linear(options.width, options.vocabulary))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=False)
    loss_of = nn.CrossEntropyLoss()
    data = torch.randint(options.vocabulary, (4, options.batch, options.context + 1))
    for step in range(options.steps):
        batch = data[step % len(data)]
        adam.zero_grad(set_to_none=False)
        guess = model(batch[:, :-1])
        loss = loss_of(guess.reshape(-1, options.vocabulary), batch[:, 1:].reshape(-1))
        loss.backward()
        adam.step()
    print(f"{options.steps} steps, loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
