"""How close is computing activations to the body's bare forward pass?

    python -m benchmarks.throughput DATA_FOLDER [--rounds 7] [--json FILE]

Bare: the body in evaluation mode, channels-last, in the precision that `cached_prefix` chose, on batches that lie ready in memory.
Decoded: `cached_prefix` filling an empty table, the pictures decoded before. JPEG: the same from the files. Alternating, medians.
"""

import copy
import time

import torch
from tqdm import tqdm

from benchmarks.machine import arguments, empty_cache, finish, median
from tl_vs_scratch.basics.session import session
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.caching import CachedPrefix
from tl_vs_scratch.training.learners import pretrained_learner
from tl_vs_scratch.training.precision import arithmetic


def main():
    args = arguments(__doc__, rounds=7, pictures=512)
    task = load_task(args.data)
    learn = pretrained_learner(task.dls(size=args.size, augment=False))
    idxs = list(range(min(args.pictures, len(task))))
    dl = learn.dls.test_dl(task.paths(idxs), num_workers=0, bs=64)
    with faster(): prefix = CachedPrefix(learn)
    compute = arithmetic(prefix.features.storage(dl, prefix.cut))
    bare = copy.deepcopy(learn.model).eval()
    bare.stages.to(compute)
    batches = [b[0].as_subclass(torch.Tensor).to(memory_format=torch.channels_last) for b in dl]

    @torch.inference_mode()
    def forward():
        for x in batches:
            state = bare.entry(x).to(compute)
            for stage in bare.stages: state = stage(state)
    def fill():
        prefix.features.own.clear()
        prefix.fill(dl, idxs)
    def fill_files():
        session.empty('squares')
        fill()
    seconds = {name: [] for name in ('bare', 'decoded', 'jpeg')}
    with empty_cache():
        fill_files(), forward() # warm up
        for _ in tqdm(range(args.rounds)):
            for name, f in (('bare', forward), ('jpeg', fill_files), ('decoded', fill)):
                start = time.perf_counter()
                f()
                seconds[name].append(time.perf_counter() - start)
    rate = {k: len(idxs)/median(v) for k, v in seconds.items()}
    finish(args, dict(benchmark='throughput', task=task.name, size=args.size or task.medium.size, precision=str(compute), pictures=len(idxs),
                      pictures_per_second=rate, throughput_ratio_decoded=rate['decoded']/rate['bare'], throughput_ratio_jpeg=rate['jpeg']/rate['bare']))


if __name__ == '__main__': main()
