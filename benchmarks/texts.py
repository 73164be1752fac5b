"""Where a pretrained network wins on texts, and where counting letters does; and a table of reviews with all that goes wrong in tables

    python -m benchmarks.texts DATA [--seeds 5] [--budget 2m] [--json FILE]

DATA is `emoji_words` (with 200 labels) or `languages` (with 1,000): for each seed a linear probe on MiniLM, trained until it is done,
and logistic regression on TF-IDF, with the same labels; the paired difference of their test accuracies; on `emoji_words` also
fine-tuning, trained until it is done, and its paired difference to the probe. Or it is `reviews`: 10,000
made-up rows with a broken row, an empty text and a text of 100,000 characters, compared within the budget as the command does it.
"""

import random
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.machine import arguments, finish, interval
from tl_vs_scratch.answers.shown import compare
from tl_vs_scratch.studies.plan import parse_budget
from tl_vs_scratch.tasks.frames import from_csv
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.refits import quick_training
from tl_vs_scratch.training.rivals import run_rival
from tl_vs_scratch.training.trial import run_trial

LABELS = dict(emoji_words=200, languages=1000)
FINE_TUNED = ('emoji_words',) # elsewhere five seeds take more than an hour
THINGS = 'kettle', 'lamp', 'tent', 'bicycle', 'charger', 'jacket', 'blender', 'novel', 'puzzle', 'mattress', 'speaker', 'suitcase'
GOOD = 'works as promised', 'a joy to use', 'my family adores it', 'worth every penny', 'better than the old one', 'sturdy and quiet'
BAD = 'broke within a week', 'not worth the money', 'arrived damaged', 'noisy and weak', 'I want a refund', 'worse than the old one'
FILLERS = 'Bought it in spring.', 'It came in a large box.', 'The colour is blue.', 'My neighbour has the same.', 'Delivery took four days.'


def review(draw, kind):
    "A few sentences, of which one or two say whether the buyer was pleased"
    said = [f'The {draw.choice(THINGS)}: {draw.choice(kind)}.', *draw.sample(FILLERS, draw.randint(0, 4)), *draw.sample([f'{o}.' for o in kind], draw.randint(0, 1))]
    draw.shuffle(said)
    return ' '.join(said) + f' Order {draw.randrange(10**6)}.'


def write_reviews(path, rows=10_000):
    "A table of reviews; a tenth of its labels are wrong, as in life"
    draw = random.Random(0)
    lines = ['text,label']
    for k in range(rows - 3):
        pleased, honest = k % 2, draw.random() > .1
        lines.append(f'"{review(draw, GOOD if pleased == honest else BAD)}",{"good" if pleased else "bad"}')
    lines += ['a row, with, too, many cells', ',good', f'"{"and so on " * 10_000}",bad']
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def by_seed(task, n, seeds):
    "Test accuracies of the probe and of TF-IDF, and how the probes ended"
    probe, counts, tuned, done = [], [], [], 0
    for seed in tqdm(range(seeds), leave=False):
        with quick_training():
            row = run_trial(task, 'linear_probe', n, seed).row
            counts.append(run_rival(task, 'plain_linear', n, seed).row['test_score'])
            if task.name in FINE_TUNED: tuned.append(run_trial(task, 'fine_tune', n, seed).row)
        probe.append(row['test_score'])
        done += row['status'] == 'done'
    difference, ci = interval(np.subtract(probe, counts))
    return dict(n=n, probe=float(np.mean(probe)), tf_idf=float(np.mean(counts)), difference=difference, difference_ci95=ci, probes_done=done) | fine_tuned(tuned, probe)


def fine_tuned(rows, probe):
    "What fine-tuning brought beside the probe; nothing where it was not tried"
    if not rows: return {}
    scores = [row['test_score'] for row in rows]
    difference, ci = interval(np.subtract(scores, probe))
    return dict(fine_tune=float(np.mean(scores)), fine_tune_over_probe=difference, fine_tune_over_probe_ci95=ci, fine_tunings_done=sum(row['status'] == 'done' for row in rows))


def answered(budget):
    "What a table of reviews brings within a budget"
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder)/'reviews.csv', time.perf_counter()
        write_reviews(path)
        task = from_csv(path)
        read = time.perf_counter() - start
        study = compare(task, budget=budget, out=Path(folder)/'out')
        took = time.perf_counter() - start
        summary = study.summary()
        return dict(rows=10_000, left_out=task.dropped.reason.value_counts().to_dict(), budget=parse_budget(budget), seconds_reading=read, seconds=took,
                    strategy=summary.advice.strategy, words=summary.words[:3], best={k: v[-1]['score_mean'] for k, v in summary.to_json()['strategies'].items() if v})


def main():
    args = arguments(__doc__, seeds=5, budget='2m')
    if args.data == 'reviews': return finish(args, dict(benchmark='texts', task='reviews', **answered(args.budget)))
    task = load_task(args.data)
    finish(args, dict(benchmark='texts', task=task.name, seeds=args.seeds, **by_seed(task, LABELS.get(args.data, task.labels_available), args.seeds)))


if __name__ == '__main__': main()
