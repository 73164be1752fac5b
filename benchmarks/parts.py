"""Where the seconds of a cold linear probe go, from the folder to the accuracy on the test pictures, with all labels and with a sixth

    python -m benchmarks.parts DATA_FOLDER [--rounds 5] [--json FILE]
"""

from fastai.basics import set_seed

from benchmarks.fine_tune import SHARES, accuracy
from benchmarks.frozen import LR
from benchmarks.machine import Clock, arguments, empty_cache, finish, median
from tl_vs_scratch.fast.switch import faster
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.caching import cached_prefix
from tl_vs_scratch.training.learners import pretrained_learner


def probe(data, n, seed, size, epochs):
    "Seconds of each part"
    seconds = {}
    with empty_cache(), faster():
        clock = Clock()
        def part(name): seconds[name] = clock.seconds - sum(seconds.values())
        set_seed(seed)
        task = load_task(data); part('reading and checking the files')
        learn = pretrained_learner(task.dls(n, seed, bs=64, size=size, augment=False)); part('loaders and network')
        with learn.no_bar(), learn.no_logging(), cached_prefix(learn, task=task) as prefix:
            for dl in learn.dls: prefix.fill(dl, range(len(dl.dataset)))
            part('decoding, and the pass through the body')
            learn.fit_one_cycle(epochs, LR); part('training the head, with validation')
            accuracy(task, learn, prefix); part('the test pictures')
    return seconds


def main():
    args = arguments(__doc__, rounds=5, epochs=10)
    task = load_task(args.data)
    size = args.size or task.medium.size
    def seconds(n):
        rounds = [probe(args.data, n, seed, size, args.epochs) for seed in range(args.rounds)]
        return {name: median([r[name] for r in rounds]) for name in rounds[0]}
    probe(args.data, None, 0, size, 1) # warm up
    finish(args, dict(benchmark='parts', task=task.name, size=size, epochs=args.epochs, pictures=task.labels_available + len(task.test_idxs),
                      seconds=seconds(None), seconds_sixth=seconds(task.labels_available//SHARES['sixth'])))


if __name__ == '__main__': main()
