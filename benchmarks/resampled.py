"""Do the intervals hold the truth on real trainings? Small studies, drawn at random from many

    python -m benchmarks.resampled STUDIES [--draws 300] [--json FILE]

STUDIES is a folder for the trainings, 30 seeds of each strategy; what is missing is trained there first, an hour of one core, and may be interrupted.
What all of these seeds get right of all test examples is the truth. A study is 3 of the seeds and some of the test examples, drawn with
replacement: its intervals should hold the truth in 95 of 100 draws. A/A: of one strategy, 3 seeds under one name and 3 others under another are
set beside the rest; there is nothing to find between the two. Trainings stop after `STEPS`, since the truth is about what was trained, however long.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.coverage import SEEDS, made_study
from benchmarks.machine import finish
from tl_vs_scratch.answers import shown # noqa: F401 - gives `summary` to studies
from tl_vs_scratch.answers.curves import difference, paired_table
from tl_vs_scratch.answers.intervals import prior_of, score_interval, spread_of
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import Settings

CHEAP = 'plain', 'nearest_neighbour', 'linear_probe', 'all_stages_probe'
TASKS = dict(digits=(100, (*CHEAP, 'scratch:small', 'fine_tune')), emoji=(100, (*CHEAP, 'scratch:small', 'fine_tune')),
             emoji_words=(100, (*CHEAP, 'scratch:small')), languages=(300, (*CHEAP, 'scratch:small'))) # labels, strategies
MANY, STEPS, PIXELS = 30, 113, 32 # seeds; steps of a training at most; of pictures
EXAMPLES = 50, 200, 1000


def population(name, folder)->dict: # label -> (MANY, test examples), 1 where it is right
    "What many trainings of each strategy get right"
    task = load_task(name)
    n, strategies = TASKS[name]
    size = PIXELS if task.medium.many == 'pictures' else None
    study = Study(task, strategies, [n], MANY, settings=Settings(size=size, max_steps=STEPS), out=folder/name)
    study.run()
    return {label: np.stack(list(of_seed.values())) for (label, _), of_seed in study.values().items()}


def drawn(rng, people, examples, seeds=SEEDS)->np.ndarray: # (strategies, seeds, examples)
    "A study: other seeds for each strategy, the same examples for all"
    columns = rng.integers(people.shape[2], size=examples)
    return np.stack([table[rng.choice(len(table), seeds, replace=False)][:, columns] for table in people])


def coverage(rng, people, draws, examples)->dict:
    "How often the intervals of scores and of pairs hold the truth, and how wide those of pairs are"
    true, single, pairs, wide = people.mean((1, 2)), [], [], []
    for _ in range(draws):
        table = drawn(rng, people, examples)
        spreads = [spread_of(o) for o in table]
        for k, truth in enumerate(true):
            low, high = score_interval(table[k], prior_of(spreads[:k] + spreads[k+1:]), share=True)[1]
            single.append(low <= truth <= high)
        for row in paired_table(made_study({1: table})).itertuples():
            gap = true[int(row.a[1:])] - true[int(row.b[1:])]
            pairs.append(row.low <= gap <= row.high)
            wide.append(row.high - row.low)
    return dict(single=np.mean(single), pairs=np.mean(pairs), pair_width_points=100*np.median(wide))


def entered_twice(rng, people, draws, examples)->dict:
    "How often one strategy under two names is called ahead of itself, with and without the correction for many comparisons"
    ahead = plain = 0
    for draw in range(draws):
        k = draw % len(people)
        table = drawn(rng, people, examples, 2*SEEDS)
        arms = np.concatenate([table[k:k+1, :SEEDS], table[k:k+1, SEEDS:], np.delete(table, k, 0)[:, :SEEDS]])
        pair = difference(paired_table(made_study({1: arms})), 's0', 's1').iloc[0]
        ahead += pair.wide_low > 0 or pair.wide_high < 0
        plain += pair.low > 0 or pair.high < 0
    return dict(false_ahead=ahead/draws, plain=plain/draws)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('studies', type=Path)
    parser.add_argument('--draws', type=int, default=300, help='small studies per line of the table (default: 300)')
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    rng, rows = np.random.default_rng(0), []
    for name, (n, _) in TASKS.items():
        tables = population(name, args.studies)
        people, of_seeds = np.stack(list(tables.values())), {label: 100*float(table.mean(1).std(ddof=1)) for label, table in tables.items()}
        for examples in EXAMPLES:
            counted = coverage(rng, people, args.draws, examples) | entered_twice(rng, people, args.draws, examples)
            rows.append(dict(task=name, n=n, strategies=len(people), test_examples=people.shape[2], examples=examples, **counted, points_by_seed=of_seeds))
            print(rows[-1], flush=True)
    finish(args, dict(benchmark='resampled', draws=args.draws, seeds=SEEDS, of=MANY, steps=STEPS, studies=rows))


if __name__ == '__main__': main()
