"""Ten epochs with a frozen body: ours against fastai as it comes, fastai tuned, PyTorch's tutorial and Lightning

    python -m benchmarks.frozen DATA_FOLDER [--epochs 10] [--timed 10] [--json FILE]

Everything is counted: reading and decoding the files, the first pass, training, validation after each epoch, the test; on our
side also looking through the folder for damaged files and copies, which no peer does. Each of
our runs starts cold, in the pauses between the epochs of a peer, so both see the same machine. With `--timed 3` three epochs of
each peer are run, and the rest is the median of these (the figures say so). `benchmarks.accuracy` asks how accurate the sides are.
"""

import time

import numpy as np
from fastai.basics import set_seed

from benchmarks.machine import Clock, arguments, empty_cache, finish, median
from benchmarks.peers import FastaiAsItComes, FastaiTuned, LightningFinetuning, Split, TorchTutorial
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.learners import pretrained_learner

LR = 1e-2 # of our head; chosen on grocery43
PEERS = dict(fastai=FastaiAsItComes, tuned=FastaiTuned, torch_tutorial=TorchTutorial, lightning=LightningFinetuning)


def ours(data, seed, size, epochs, bs=64):
    "Seconds from the folder to the test predictions, and these"
    with empty_cache(), faster():
        start = time.perf_counter()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(None, seed, bs=bs, size=size, augment=False))
        with learn.no_bar(), learn.no_logging(), cached_prefix(learn, task=task) as prefix:
            learn.fit_one_cycle(epochs, LR)
            predicted = learn.get_preds(dl=prefix.loader(task.test_dl(learn.dls)))[0].argmax(1).numpy()
        return time.perf_counter() - start, predicted


def measure(Peer, split, epochs, timed, beside):
    "Seconds of a peer's run, outside of `beside`, and those of each epoch that was run"
    clock, marks = Clock(), []
    set_seed(split.seed)
    peer = Peer(split)
    def between():
        marks.append(clock.seconds)
        with clock.paused(): beside()
    began = clock.seconds
    peer.frozen(timed, between)
    lasts, before = np.diff([began, *marks]), clock.seconds
    peer.test()
    seconds = began + sum(lasts) + (epochs - timed)*median(lasts) + clock.seconds - before
    return seconds, list(lasts)


def main():
    args = arguments(__doc__, epochs=10, timed=10, peers=','.join(PEERS))
    task = load_task(args.data)
    size = args.size or task.medium.size
    figures = dict(benchmark='frozen', task=task.name, size=size, epochs=args.epochs, epochs_timed=args.timed)
    all_ours = []
    for name in args.peers.split(','):
        runs = []
        seconds, epochs = measure(PEERS[name], Split(task, 0, size), args.epochs, args.timed,
                                  lambda: runs.append(ours(args.data, len(runs), size, args.epochs)[0]))
        all_ours += runs
        figures |= {f'seconds_{name}': seconds, f'epoch_seconds_{name}': epochs, f'seconds_ours_beside_{name}': runs,
                    f'speedup_vs_{"tuned_fastai" if name == "tuned" else name}': seconds/median(runs)}
        print(f'{name}: {seconds:.0f} s, ours {median(runs):.1f} s: {seconds/median(runs):.1f} times faster', flush=True)
    figures['seconds_ours'] = median(all_ours)
    finish(args, figures)


if __name__ == '__main__': main()
