"""Time to the test accuracy of fastai's `fine_tune(5)` as it comes, and what else its time buys

    python -m benchmarks.fine_tune DATA_FOLDER [--timed 5] [--budget 1] [--json FILE]

Named beforehand: ours is a linear probe on cached activations, with all labels, with a third and with a sixth of them (a model is a
model, however many labels it was given). Its time runs from the folder to the trained model, in the cold; fastai's from the folder
to the end of its training. `fastai tuned` trains our head at our rate, once with all labels and once with the same sixth, and is
looked at after every epoch: when is it as accurate as fastai as it comes (where ours is the probe with a sixth), and when as ours
with all labels? Last, our best strategy (a probe, then everything) gets the time that fastai took; `--budget 0` leaves this out.
"""

import numpy as np
import torch
from fastai.basics import set_seed

from benchmarks.frozen import LR
from benchmarks.machine import Clock, arguments, empty_cache, finish, median
from benchmarks.peers import FastaiAsItComes, FastaiTuned, Split
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.learners import pretrained_learner
from tl_vs_scratch.training.unfreezing import discriminative_lrs, freeze_to

SHARES = dict(all=1, third=3, sixth=6)


def accuracy(task, learn, prefix=None):
    dl = task.test_dl(learn.dls)
    with learn.no_bar(), learn.no_logging(): out = learn.get_preds(dl=prefix.loader(dl) if prefix else dl)[0]
    return (out.argmax(1).numpy() == task.labels[task.test_idxs]).mean()


def probe(data, seed, size, n=None, epochs=10):
    "Seconds from the folder to the trained probe, and its test accuracy"
    with empty_cache(), faster():
        clock = Clock()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(n, seed, bs=64, size=size, augment=False))
        with learn.no_bar(), learn.no_logging(), cached_prefix(learn, task=task) as prefix:
            learn.fit_one_cycle(epochs, LR)
            seconds = clock.seconds
            return seconds, accuracy(task, learn, prefix)


def best(data, seed, size, budget):
    "A probe, then everything at a small rate, for so many seconds in all; the test accuracy"
    with empty_cache(), faster():
        clock = Clock()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(None, seed, bs=64, size=size))
        with learn.no_bar(), learn.no_logging():
            with cached_prefix(learn, task=task): learn.fit_one_cycle(10, LR)
            freeze_to(learn, 0)
            began = clock.seconds
            learn.fit(1, discriminative_lrs(1e-4, learn)) # an epoch to see how long one takes
            epochs = int((budget - clock.seconds)//(clock.seconds - began))
            if epochs > 0: learn.fit_one_cycle(epochs, discriminative_lrs(2e-3, learn))
        return dict(seconds=clock.seconds, epochs=epochs + 1, accuracy=accuracy(task, learn))


def first(seen, goal):
    "The seconds at which an accuracy was reached; None where it never was"
    return next((seconds for seconds, accuracy in seen if accuracy >= goal), None)


def main():
    args = arguments(__doc__, timed=5, seeds=3, budget=1)
    task = load_task(args.data)
    size, labels = args.size or task.medium.size, {share: task.labels_available//k for share, k in SHARES.items()}
    ours, right = {share: [] for share in SHARES}, lambda said: float((said == task.labels[task.test_idxs]).mean())
    def beside():
        for share, runs in ours.items(): runs.append(probe(args.data, len(runs), size, labels[share]))

    clock, marks = Clock(), []
    set_seed(0)
    peer = FastaiAsItComes(Split(task, 0, size))
    def between():
        marks.append(clock.seconds)
        if len(marks) <= args.seeds:
            with clock.paused(): beside()
    peer.fine_tune(args.timed, between)
    epochs = np.diff([0, *marks])
    seconds_fastai = clock.seconds + (5 - args.timed)*median(epochs[1:])
    reached = right(peer.test())

    def tuned(n):
        "Seconds and test accuracy after each epoch of a tuned fastai"
        clock, seen = Clock(), []
        tuned = FastaiTuned(Split(task, 0, size, n=n), lr=LR)
        def look():
            with clock.paused():
                seen.append((clock.seconds, right(predict(tuned))))
                if len(seen) <= args.seeds and n is None: beside()
        tuned.frozen(10, look)
        return seen
    seen = dict(all=tuned(None), sixth=tuned(labels['sixth']))

    seconds, accuracies = ({share: f([run[i] for run in runs]) for share, runs in ours.items()} for i, f in ((0, median), (1, np.mean)))
    figures = dict(benchmark='fine_tune', task=task.name, size=size, epochs_timed=args.timed, seconds_fastai=seconds_fastai, epoch_seconds_fastai=list(epochs),
                   accuracy_fastai=reached, seconds_ours=seconds['all'], accuracy_ours=accuracies['all'], labels=labels, ours=ours,
                   seconds_ours_by_share=seconds, accuracy_ours_by_share=accuracies, tuned_fastai=seen['all'], tuned_fastai_sixth=seen['sixth'],
                   speedup_vs_fastai=seconds_fastai/seconds['all'], speedup_vs_fastai_by_share={share: seconds_fastai/s for share, s in seconds.items()})
    ratios = dict(speedup_vs_tuned_fastai=(first(seen['all'], reached), seconds['sixth']), # to fastai's accuracy
                  speedup_vs_tuned_fastai_same_labels=(first(seen['sixth'], reached), seconds['sixth']),
                  speedup_vs_tuned_fastai_to_ours=(first(seen['all'], accuracies['all'] - .005), seconds['all'])) # to the accuracy of ours
    figures |= {name: theirs/mine if theirs else None for name, (theirs, mine) in ratios.items()}
    if args.budget: figures['same_time'] = best(args.data, 0, size, seconds_fastai)
    finish(args, figures)


@torch.no_grad()
def predict(tuned):
    "Between two epochs of a fit, without disturbing it"
    model, x = tuned.learn.model, tuned.test_pictures.x
    was = model.training
    model.eval()
    out = torch.cat([model(o.float()/255).argmax(1) for o in x.split(64)]).numpy()
    model.train(was)
    return out


if __name__ == '__main__': main()
