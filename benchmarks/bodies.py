"""Which of timm's networks become stages? The smallest network of each of timm's modules, with random weights.

    python -m benchmarks.bodies [--only vision_transformer,resnet] [--seconds 900] [--each 180] [--json FILE]

`create_backbone` proves each: evaluation, training with the same random numbers, buffers, entry at every cut; for pictures of 96
pixels a side where the network takes them, else of its own size. Each has --each seconds, in a process of its own; what takes longer
is written down as that, neither passes nor fails, and is tried again next time. What is expected to fail is pinned in `EXCEPTIONS`; the exit status is 1 where another one fails, or one of these no longer does. Run again with the same
FILE, it goes on with what is missing there.
"""
import argparse
import json
import multiprocessing as mp
import time
import warnings
from pathlib import Path

import timm
from timm.models import list_modules

from tl_vs_scratch.networks.bodies import create_backbone

SMALL = 96 # pixels a side
SLOW = 'takes too long here'
SEVERAL = 'several tensors are alive between its parts'
EXCEPTIONS = dict(coat=SEVERAL, crossvit=SEVERAL, efficientvim=SEVERAL, gemma4_vit=SEVERAL, hrnet=SEVERAL, qwen3_vit=SEVERAL, tnt=SEVERAL)


def smallest(module):
    "The network of a module whose name says that it is small: what is built to find out costs minutes"
    words = ('atto', 'nano', 'pico', 'femto', 'tiny', 'xxs', 'xs', '_t', 'small', '_s', 's0', 'b0', '18', '050', '26')
    names = timm.list_models(module=module)
    def rank(name): return next((k for k, word in enumerate(words) if word in name), len(words)), len(name), name
    return min(names, key=rank, default=None)


def staged(name):
    "The size of the pictures, the stages, or why there are none"
    for size in (SMALL, None):
        try: return size, create_backbone(f'timm/{name}', pretrained=False, image_size=size).stage_names, ''
        except Exception as e: why = f'{type(e).__name__}: {e}'
        if 'alive at once' in why: break # it is so at any size
    return None, [], why


def tried(name, limit):
    "One row: the stages, or why there are none"
    ours, theirs = mp.Pipe(False)
    start, process = time.perf_counter(), mp.get_context('fork').Process(target=lambda: theirs.send(staged(name)), daemon=True)
    process.start()
    theirs.close()
    try: size, stages, why = ours.recv() if ours.poll(limit) else (None, [], SLOW)
    except EOFError: size, stages, why = None, [], 'its process ended, most likely for want of memory'
    process.kill()
    process.join()
    return dict(body=name, size=size, stages=stages, why=why, seconds=round(time.perf_counter() - start, 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--only', default='')
    parser.add_argument('--seconds', type=float, default=900)
    parser.add_argument('--each', type=float, default=180)
    parser.add_argument('--json')
    args = parser.parse_args()
    warnings.filterwarnings('ignore')
    end, file = time.monotonic() + args.seconds, args.json and Path(args.json)
    rows = json.loads(file.read_text()) if file and file.exists() else {}
    for module in args.only.split(',') if args.only else list_modules():
        name = smallest(module)
        if name is None or module in rows and rows[module]['why'] != SLOW: continue
        if time.monotonic() > end: break
        rows[module] = row = tried(name, args.each)
        print(f"{module:28}{name:36}{len(row['stages']):3} stages {row['seconds']:6.1f} s  {row['why'][:150]}", flush=True)
        if file: file.write_text(json.dumps(rows, indent=1) + '\n')
    slow = {module for module, row in rows.items() if row['why'] == SLOW}
    failed = {module for module, row in rows.items() if not row['stages']} - slow
    other = failed ^ (EXCEPTIONS.keys() & rows.keys() - slow)
    print(f'{len(rows) - len(failed) - len(slow)} of {len(rows)} staged, {len(slow)} took too long; other than expected: {", ".join(sorted(other)) or "none"}')
    raise SystemExit(bool(other))


if __name__ == '__main__': main()
