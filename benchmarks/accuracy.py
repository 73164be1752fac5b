"""Is the fast way as accurate? Ten frozen epochs, ours against fastai's, paired over seeds

    python -m benchmarks.accuracy DATA_FOLDER [--peers fastai] [--seeds 5] [--json FILE]

Each seed splits training and validation pictures anew; both sides get the same split, all epochs, and the same test pictures. Nothing
here is timed, so one seed runs per core, with one thread, and fastai's network lies channels-last: the same sums in another order.
"""

import os

import numpy as np
import torch
from fastai.basics import set_seed
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.frozen import PEERS, ours
from benchmarks.machine import arguments, finish, interval
from benchmarks.peers import FastaiAsItComes, Split
from tl_vs_scratch.fast.memory import give_memory_back, keep_freed_memory
from tl_vs_scratch.tasks.sources import load_task


def predicted(name, data, seed, size, epochs):
    "Classes of the test pictures, by a peer or by ours"
    torch.set_num_threads(1)
    keep_freed_memory()
    if name == 'ours': return name, seed, ours(data, seed, size, epochs)[1]
    set_seed(seed)
    split, Peer = Split(load_task(data), seed, size, workers=0), PEERS[name]
    peer = Peer(split, channels_last=True) if Peer is FastaiAsItComes else Peer(split)
    peer.frozen(epochs)
    try: return name, seed, peer.test()
    finally: give_memory_back() # else joblib takes the worker for one that leaks


def main():
    args = arguments(__doc__, peers='fastai', seeds=5, epochs=10)
    task = load_task(args.data)
    size, y = args.size or task.medium.size, task.labels[task.test_idxs]
    peers = args.peers.split(',')
    calls = [delayed(predicted)(name, args.data, seed, size, args.epochs) for name in ('ours', *peers) for seed in range(args.seeds)]
    right = {name: np.zeros(args.seeds) for name in ('ours', *peers)}
    for name, seed, said in tqdm(Parallel(os.cpu_count(), return_as='generator_unordered')(calls), total=len(calls)): right[name][seed] = (said == y).mean()
    figures = dict(benchmark='accuracy', task=task.name, size=size, epochs=args.epochs, accuracy_ours=right['ours'].mean(), accuracies_ours=list(right['ours']))
    for name in peers:
        mean, ci = interval(right['ours'] - right[name])
        figures |= {f'accuracy_{name}': right[name].mean(), f'accuracies_{name}': list(right[name]), f'accuracy_difference_{name}': mean, f'accuracy_difference_ci95_{name}': ci}
    finish(args, figures)


if __name__ == '__main__': main()
