"""Time to the test accuracy of fastai's `fine_tune(5)` as it comes, and what else its time buys

    python -m benchmarks.fine_tune DATA_FOLDER [--timed 5] [--budget 1] [--json FILE]

Named beforehand: ours is a linear probe on cached activations, once with all labels and once with a third of them (a model is a
model, however many labels it was given). Its time runs from the folder to the trained model, in the cold; fastai's from the folder
to the end of its training. `fastai tuned` is looked at after every epoch, for the first time that it is as accurate as ours.
Last, our best strategy (a probe, then everything) gets the time that fastai took; `--budget 0` leaves this out.
"""

import time

import numpy as np
import torch
from fastai.basics import set_seed

from benchmarks.frozen import LR
from benchmarks.machine import Clock, arguments, empty_cache, finish, median
from benchmarks.peers import FastaiAsItComes, FastaiTuned, Split
from tl_vs_scratch.caching import cached_prefix
from tl_vs_scratch.learners import pretrained_learner
from tl_vs_scratch.tasks import load_task
from tl_vs_scratch.unfreezing import discriminative_lrs, freeze_to


def accuracy(task, learn, prefix=None):
    dl = task.test_dl(learn.dls)
    with learn.no_bar(), learn.no_logging(): out = learn.get_preds(dl=prefix.loader(dl) if prefix else dl)[0]
    return (out.argmax(1).numpy() == task.labels[task.test_idxs]).mean()


def probe(data, seed, size, n=None, epochs=10):
    "Seconds from the folder to the trained probe, and its test accuracy"
    with empty_cache():
        clock = Clock()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(n, seed, bs=64, image_size=size, augment=False))
        with learn.no_bar(), learn.no_logging(), cached_prefix(learn, task=task) as prefix:
            learn.fit_one_cycle(epochs, LR)
            seconds = clock.seconds
            return seconds, accuracy(task, learn, prefix)


def best(data, seed, size, budget):
    "A probe, then everything at a small rate, for so many seconds in all; the test accuracy"
    with empty_cache():
        clock = Clock()
        set_seed(seed)
        task = load_task(data)
        learn = pretrained_learner(task.dls(None, seed, bs=64, image_size=size))
        with learn.no_bar(), learn.no_logging():
            with cached_prefix(learn, task=task): learn.fit_one_cycle(10, LR)
            freeze_to(learn, 0)
            began = clock.seconds
            learn.fit(1, discriminative_lrs(1e-4, learn)) # an epoch to see how long one takes
            epochs = int((budget - clock.seconds)//(clock.seconds - began))
            if epochs > 0: learn.fit_one_cycle(epochs, discriminative_lrs(2e-3, learn))
        return dict(seconds=clock.seconds, epochs=epochs + 1, accuracy=accuracy(task, learn))


def main():
    args = arguments(__doc__, timed=5, seeds=3, budget=1)
    task = load_task(args.data)
    size = args.size or task.image_size
    ours, third = [], []
    def beside():
        ours.append(probe(args.data, len(ours), size)); third.append(probe(args.data, len(third), size, task.labels_available//3))
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
    reached = float((peer.test() == task.labels[task.test_idxs]).mean())

    clock, seen = Clock(), [] # tuned fastai, looked at after each epoch
    tuned = FastaiTuned(Split(load_task(args.data), 0, size), lr=LR)
    def look():
        with clock.paused(): seen.append((clock.seconds, float((predict(tuned) == task.labels[task.test_idxs]).mean())))
    tuned.frozen(10, look)
    goal = float(np.mean([a for _, a in ours]))
    first = lambda accuracy: next((s for s, a in seen if a >= accuracy), None)
    figures = dict(benchmark='fine_tune', task=task.name, size=size, epochs_timed=args.timed, seconds_fastai=seconds_fastai, epoch_seconds_fastai=list(epochs),
                   accuracy_fastai=reached, seconds_ours=median([s for s, _ in ours]), accuracy_ours=goal, ours=ours,
                   seconds_ours_third=median([s for s, _ in third]), accuracy_ours_third=float(np.mean([a for _, a in third])), ours_third=third,
                   tuned_fastai=seen, seconds_tuned_to_fastai=first(reached), seconds_tuned_to_ours=first(goal - .005))
    figures['speedup_vs_fastai'] = seconds_fastai/figures['seconds_ours']
    figures['speedup_vs_fastai_third'] = seconds_fastai/figures['seconds_ours_third']
    figures['speedup_vs_tuned_fastai'] = first(goal - .005)/figures['seconds_ours'] if first(goal - .005) else f"more than {seen[-1][0]/figures['seconds_ours']:.1f}"
    if args.budget: figures['same_time'] = best(args.data, 0, size, seconds_fastai)
    finish(args, figures)


@torch.no_grad()
def predict(tuned):
    "Between two epochs of a fit, without disturbing it"
    model, x = tuned.learn.model, tuned.pictures['test'].x
    was = model.training
    model.eval()
    out = torch.cat([model(o.float()/255).argmax(1) for o in x.split(64)]).numpy()
    model.train(was)
    return out


if __name__ == '__main__': main()
