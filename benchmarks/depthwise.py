"""What our gradient of depthwise convolutions saves in a training step on the CPU

    python -m benchmarks.depthwise [--json FILE]

The same network with PyTorch's own convolutions and with ours, alternating, one thread; medians and their ratio.
"""

import argparse
import copy
import json
import statistics
import time
from pathlib import Path

import timm
import torch

from tl_vs_scratch.backbones import _speed_up


def step(model, x):
    "Seconds of one forward and backward pass"
    start = time.perf_counter()
    model.zero_grad()
    model(x).pow(2).sum().backward()
    return time.perf_counter() - start


def measure(name, size, batch=32, rounds=9):
    "Median seconds of a training step with PyTorch's convolutions and with ours, and the largest relative difference of a gradient"
    theirs = timm.create_model(name, num_classes=0).to(memory_format=torch.channels_last).train()
    ours = _speed_up(copy.deepcopy(theirs))
    x = torch.randn(batch, 3, size, size)
    step(theirs, x), step(ours, x) # warm up; the same pictures, so the same BatchNorm statistics
    off = max(((p.grad - q.grad).abs().max()/p.grad.abs().max()).item() for p, q in zip(theirs.parameters(), ours.parameters()))
    times = [(step(theirs, x), step(ours, x)) for _ in range(rounds)]
    a, b = (statistics.median(t) for t in zip(*times))
    return dict(network=name, size=size, batch=batch, seconds_pytorch=a, seconds_ours=b, speedup=a/b, largest_difference=off)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name, size) for name in ('tf_efficientnet_lite0', 'tf_efficientnet_lite2') for size in (64, 96, 128)]
    for r in rows:
        print('{network:22} {size:4} px: {seconds_pytorch:.3f} s -> {seconds_ours:.3f} s a step, {speedup:.2f} times faster '
              '(gradients agree to {largest_difference:.0e})'.format(**r))
    if args.json: args.json.write_text(json.dumps(rows, indent=1))


if __name__ == '__main__': main()
