"""Is the advice good? Races told again from studies that trained everything to its end

    python -m benchmarks.advice STUDIES [--data FOLDER] [--json FILE] [--add]

STUDIES is a folder for the exhaustive studies, one per task; what is missing of `benchmarks.situations` is trained there first, which takes hours and may be
interrupted. --data says where the folders of pictures are that some situations are made of; without it, these are left out. Each situation (a task
and a number of labels) is then raced within 5, 15 and 50% of what its exhaustive study cost, on a clock that only the trainings move, and the answer
is set beside what the exhaustive study found: how many points the advice loses against the best (regret), what it said it may lose, and
whether a sentence contradicts the exhaustive study. Beside it: always the same strategy, and what the rules of thumb name for so many labels and
classes. --add keeps the situations that FILE has and that are not told again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import finish
from benchmarks.replay import Replay, cost
from benchmarks.situations import SITUATIONS
from benchmarks.stored import complete, study_of
from tl_vs_scratch.answers import shown # noqa: F401 - gives `summary` to studies
from tl_vs_scratch.answers.curves import difference
from tl_vs_scratch.answers.rules import prior
from tl_vs_scratch.studies.plan import named_for
from tl_vs_scratch.training.recipes import RESULTS_VERSION

SHARES = .05, .15, .5
ALWAYS = 'fine_tune', 'linear_probe', 'all_stages_probe', 'scratch:small', 'plain'


def losses(study, truth:dict, n:int)->dict: # what somebody takes who measures nothing -> points below the best
    "Always the same, or what the rules of thumb name; what was not trained is left out"
    labels = dict(zip(ALWAYS, named_for(ALWAYS, study.medium))) | dict(rules=prior(n, classes=study.task.n_classes))
    return {name: 100*(max(truth.values()) - truth[label]) for name, label in labels.items() if label in truth}


def truths(whole, n)->dict: # label -> mean test score
    at = whole.results[(whole.results.n == n) & (whole.results.status == 'done')]
    return at.groupby('strategy').test_score.mean().to_dict()


def contradictions(summary, whole_summary, n)->list[str]:
    "What the race said that the whole study excludes"
    found = []
    def excluded(a, b, at_least):
        "Is b ahead of a by more than that, for sure?"
        rows = difference(whole_summary.pairs, b, a)
        rows = rows[rows.n == n]
        return len(rows) and float(rows.low.iloc[0]) > at_least
    advice = summary.advice
    said = [*advice.reasons, *(f for _, fs in summary.compared for f in fs)]
    found += [f'{f.strategies[0]} ahead of {f.strategies[1]}' for f in said if f.kind == 'ahead' and excluded(*f.strategies, 0.)]
    if advice.strategy:
        better = [other for other in whole_summary.table.strategy.unique() if other != advice.strategy and excluded(advice.strategy, other, advice.shortfall)]
        found += [f'{advice.strategy} within {100*advice.shortfall:.1f} points of {other}' for other in better]
    return found


def situation(whole, guesses, n, whole_summary)->list[dict]:
    "One row per budget"
    truth, total, rows = truths(whole, n), cost(whole, n), []
    best = max(truth, key=truth.get)
    for share in SHARES:
        with tempfile.TemporaryDirectory() as folder:
            replay = Replay(whole, Path(folder), [n], guesses)
            replay.run(share*total)
            summary, trained = replay.summary(), len(replay.results)
        taken = summary.advice.strategy
        rows.append(dict(task=whole.task.name, n=n, version=RESULTS_VERSION, share=share, seconds=share*total, best=best, taken=taken,
                         regret=100*(truth[best] - truth[taken]) if taken else None, said=100*(summary.advice.shortfall or 0),
                         decided=not summary.advice.undecided, trained=trained, of=len(replay.grid),
                         contradictions=contradictions(summary, whole_summary, n)))
    return rows


def overall(rows)->list[dict]:
    "Means over the situations, per budget"
    found = []
    for share in SHARES:
        mine = [r for r in rows if r['share'] == share]
        regrets = [r['regret'] for r in mine if r['taken']]
        found.append(dict(share=share, situations=len(mine), answered=len(regrets), mean_regret=np.mean(regrets), worst_regret=max(regrets),
                          mean_said=np.mean([r['said'] for r in mine if r['taken']]), decided=np.mean([r['decided'] for r in mine]),
                          contradictions=sum(len(r['contradictions']) for r in mine)))
    return found


def of_habits(habits)->dict:
    "Means over the situations, per habit"
    found = {}
    for name in (*ALWAYS, 'rules'):
        lost = [habit[name] for habit in habits if name in habit]
        found[name] = dict(situations=len(lost), mean_regret=np.mean(lost), worst_regret=max(lost))
    return found


def kept(before, now)->list[dict]:
    "Rows of other situations, then those of now"
    told = {(row['task'], row['n']) for row in now}
    return [row for row in before if (row['task'], row['n']) not in told] + now


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('studies', type=Path)
    parser.add_argument('--data', type=Path)
    parser.add_argument('--json', type=Path)
    parser.add_argument('--tasks', default=','.join(found.name for found in SITUATIONS), help='default: %(default)s')
    parser.add_argument('--only-finished', action='store_true', help='train nothing; leave out what is not finished')
    parser.add_argument('--add', action='store_true', help='keep what the file of --json has of other situations')
    args = parser.parse_args()
    if args.add and not (args.json and args.json.exists()): parser.error('--add needs a file of --json that is there')
    rows, habits = [], []
    asked = args.tasks.split(',')
    for found in SITUATIONS:
        task = found.task(args.data) if found.name in asked else None
        if task is None: continue
        study = study_of(task, args.studies, found.sizes, found.pixels)
        if not args.only_finished: study.run()
        guesses, summary = study.time_guesses(), study.summary()
        for n in complete(study):
            rows += situation(study, guesses, n, summary)
            habits.append(dict(task=task.name, n=n, **losses(study, truths(study, n), n)))
            print(*rows[-len(SHARES):], sep='\n', flush=True)
    if args.add:
        before = json.loads(args.json.read_text())
        rows, habits = kept(before['situations'], rows), kept(before['habits'], habits)
    finish(args, dict(overall=overall(rows), always=of_habits(habits), situations=rows, habits=habits))


if __name__ == '__main__': main()
