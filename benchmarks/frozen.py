"""Ten epochs with a frozen body: ours against fastai as it comes, fastai tuned, PyTorch's tutorial and Lightning

    python -m benchmarks.frozen DATA_FOLDER [--epochs 10] [--timed 10] [--seeds 5] [--accuracies fastai] [--json FILE]

Everything is counted: reading and decoding the files, the first pass, training, validation after each epoch, the test. Each of
our runs starts cold, in the pauses between the epochs of a peer, so both see the same machine. With `--timed 3` three epochs of
each peer are run, and the rest is the median of these (the figures say so). Accuracies need all epochs: those of the peers named by
`--accuracies` come from runs of their own, which nobody times (fastai's channels-last, to save time: the same sums in another order).
"""

import time

import numpy as np
from fastai.basics import set_seed
from tqdm import tqdm

from benchmarks.machine import Clock, arguments, empty_cache, finish, interval, median
from benchmarks.peers import FastaiAsItComes, FastaiTuned, LightningFinetuning, Split, TorchTutorial
from tl_vs_scratch.caching import cached_prefix
from tl_vs_scratch.learners import pretrained_learner
from tl_vs_scratch.tasks import load_task

LR = 1e-2 # of our head; chosen on grocery43


def ours(data, seed, size, epochs, bs=64):
    "Seconds from the folder to the test predictions, and these"
    with empty_cache():
        start = time.perf_counter()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(None, seed, bs=bs, image_size=size, augment=False))
        with learn.no_bar(), learn.no_logging(), cached_prefix(learn, task=task) as prefix:
            learn.fit_one_cycle(epochs, LR)
            predicted = learn.get_preds(dl=prefix.loader(task.test_dl(learn.dls)))[0].argmax(1).numpy()
        return time.perf_counter() - start, predicted


def measure(Peer, data, split, epochs, timed, beside):
    "Seconds of a peer's run (outside of `beside`), and the predictions where all epochs were run"
    clock, marks = Clock(), []
    set_seed(split.seed)
    task = load_task(data) if Peer is FastaiTuned else split.task # decoding beforehand is part of the time
    peer = Peer(Split(task, split.seed, split.size))
    def between():
        marks.append(clock.seconds)
        with clock.paused(): beside()
    began = clock.seconds
    peer.frozen(timed, between)
    lasts, before = np.diff([began, *marks]), clock.seconds
    peer.test()
    seconds = began + sum(lasts) + (epochs - timed)*median(lasts) + clock.seconds - before
    return seconds, list(lasts)


def predictions(Peer, split, epochs):
    "Of the test pictures, after all epochs"
    set_seed(split.seed)
    peer = Peer(split, channels_last=True) if Peer is FastaiAsItComes else Peer(split)
    peer.frozen(epochs)
    return peer.test()


def main():
    args = arguments(__doc__, epochs=10, timed=10, seeds=5, peers='fastai,tuned,torch_tutorial,lightning', accuracies='')
    kinds = dict(fastai=FastaiAsItComes, tuned=FastaiTuned, torch_tutorial=TorchTutorial, lightning=LightningFinetuning)
    task = load_task(args.data)
    size, y = args.size or task.image_size, task.labels[task.test_idxs]
    figures = dict(benchmark='frozen', task=task.name, size=size, epochs=args.epochs, epochs_timed=args.timed)
    all_ours = []
    for name in args.peers.split(','):
        runs = []
        seconds, epochs = measure(kinds[name], args.data, Split(task, 0, size), args.epochs, args.timed,
                                             lambda: runs.append(ours(args.data, len(runs), size, args.epochs)[0]))
        all_ours += runs
        figures |= {f'seconds_{name}': seconds, f'epoch_seconds_{name}': epochs, f'seconds_ours_beside_{name}': runs,
                    f'speedup_vs_{"tuned_fastai" if name == "tuned" else name}': seconds/median(runs)}
        print(f'{name}: {seconds:.0f} s, ours {median(runs):.1f} s: {seconds/median(runs):.1f} times faster', flush=True)
    seeds = range(args.seeds)
    mine = [(ours(args.data, s, size, args.epochs)[1] == y).mean() for s in tqdm(seeds, desc='accuracy of ours')]
    figures |= dict(seconds_ours=median(all_ours), accuracy_ours=np.mean(mine), accuracies_ours=mine)
    for name in filter(None, args.accuracies.split(',')):
        theirs = [(predictions(kinds[name], Split(task, s, size), args.epochs) == y).mean() for s in tqdm(seeds, desc=f'accuracy of {name}')]
        mean, ci = interval(np.array(mine) - theirs)
        figures |= {f'accuracy_{name}': np.mean(theirs), f'accuracies_{name}': theirs, f'accuracy_difference_{name}': mean, f'accuracy_difference_ci95_{name}': ci}
    finish(args, figures)


if __name__ == '__main__': main()
