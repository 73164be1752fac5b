"""What each choice does to a training step of all layers on the CPU: arithmetic, memory format, and our own shortcuts

    python -m benchmarks.steps [--json FILE]

Per body, picture size and number of threads, the step as studies run it, and the same with one thing changed:
- float32 or bfloat16, channels first: what the defaults of `Settings` rest on;
- gradient: PyTorch's own gradients of depthwise convolutions;
- Adam: fastai's own in place of the fused one;
- memory: freed memory goes back to the system, as it does without `keep_freed_memory` (a process of its own).
All take turns; medians, and how many times faster the study's step is (below 1: the change would be faster).
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from fastai.optimizer import Adam
from tqdm import tqdm

from benchmarks.machine import finish, median
from tl_vs_scratch.fast.adam import fused_adam
from tl_vs_scratch.fast.depthwise import DepthwiseConv2d, speed_up
from tl_vs_scratch.fast.memory import keep_freed_memory
from tl_vs_scratch.fast.switch import faster, plain
from tl_vs_scratch.networks.bodies import create_backbone
from tl_vs_scratch.training.precision import computes_in_bfloat16
from tl_vs_scratch.training.recipes import PRECISIONS

BATCH = 32


def step(net, opt, x):
    "Seconds of one training step"
    start = time.perf_counter()
    opt.zero_grad()
    net(x).pow(2).mean().backward()
    opt.step()
    return time.perf_counter() - start


def measure(body, precision, size, threads, rounds):
    "Seconds of each round's step, per variant"
    torch.set_num_threads(threads)
    auto = computes_in_bfloat16(body, precision, torch.device('cpu'))
    make = lambda **changed: _network(**dict(body=body, bfloat16=auto) | changed)
    nets = {'study': make(), 'bfloat16' if not auto else 'float32': make(bfloat16=not auto),
            'channels first': make(layout=torch.contiguous_format), 'Adam': make(opt_func=Adam)}
    x, seconds = torch.rand(BATCH, 3, size, size), {}
    def note(name, net): seconds.setdefault(name, []).append(step(*net, x))
    with faster():
        for net in nets.values(): step(*net, x) # warm up
        for _ in range(rounds):
            for name, net in nets.items(): note(name, net)
            if any(isinstance(m, DepthwiseConv2d) for m in nets['study'][0].modules()):
                with plain(): note('gradient', nets['study'])
    return seconds


def _network(body, bfloat16, layout=torch.channels_last, opt_func=fused_adam):
    net = speed_up(create_backbone(body, pretrained=False)).to(memory_format=layout)
    net.bfloat16 = bfloat16
    return net, opt_func(list(net.parameters()), lr=1e-4)


def in_process(keep, *words):
    "`measure` in a process of its own, with or without freed memory kept"
    out = subprocess.run([sys.executable, '-m', 'benchmarks.steps', '--child', 'keep' if keep else 'give', *map(str, words)],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out.splitlines()[-1])


def compare(body, precision, size, threads, rounds):
    "One row: the study's step in seconds, and the ratio to it of each variant"
    found = {}
    for half in range(2): # the two kinds of process take turns
        for keep in (True, False):
            for name, values in in_process(keep, body, precision, size, threads, rounds).items():
                if keep or name == 'study': found.setdefault(name if keep else 'memory', []).extend(values)
    seconds = {k: median(v) for k, v in found.items()}
    return dict(body=body, size=size, threads=threads, seconds=seconds['study'], ratios={k: v/seconds['study'] for k, v in seconds.items() if k != 'study'})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bodies', default='tf_efficientnet_lite0,resnet18,convnet', help='default: %(default)s')
    parser.add_argument('--sizes', default='64,128', help='default: %(default)s')
    parser.add_argument('--threads', default='1,2', help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=4, help='in each of two processes (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='write the figures here')
    parser.add_argument('--precision', choices=PRECISIONS, default='auto', help="of the study's step, as in `Settings` (default: %(default)s)")
    parser.add_argument('--child', nargs=6, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        keep, body, precision, *numbers = args.child
        if keep == 'keep': keep_freed_memory()
        return print(json.dumps(measure(body, precision, *map(int, numbers))))
    grid = [(b, int(s), int(t)) for b in args.bodies.split(',') for s in args.sizes.split(',') for t in args.threads.split(',')]
    rows = []
    for body, size, threads in tqdm(grid):
        rows.append(compare(body, args.precision, size, threads, args.rounds))
        tqdm.write('{body:22} {size:4} px, {threads} threads: {seconds:.3f} s a step; '.format(**rows[-1])
                   + ', '.join(f'{k} {v:.2f}' for k, v in rows[-1]['ratios'].items()))
    finish(args, dict(benchmark='steps', batch=BATCH, steps=rows))


if __name__ == '__main__': main()
