"""The studies that come with the library, for `tlvs.explore`: everything trained to its end, in a small file each

    python -m benchmarks.stored STUDIES [--only-finished]

STUDIES is a folder for the studies themselves, a folder each; what is missing is trained there first, an hour or two on two cores, and may be
interrupted. A training's seconds are its steps times the seconds of a step, which is measured anew at the end, one training at a time, so that what
else the machine did in those hours does not show. Writes tl_vs_scratch/stored/*.json.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from tl_vs_scratch.answers import shown # noqa: F401; gives `summary` to studies
from tl_vs_scratch.answers.growing import Way, growth_of, mean_looks
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import Settings

SIZES = dict(emoji=(20, 40, 80, 160, 309), digits=(50, 100, 200, 400, 800)) # labels
STRATEGIES = 'most_frequent', 'plain', 'nearest_neighbour', 'linear_probe', 'scratch:convnet', 'fine_tune', 'plain_svm'
PIXELS, SEEDS, MEASURED = 32, 3, 80 # steps of a training that is timed
OUT = Path(__file__).parent.parent/'tl_vs_scratch/stored'


def study_of(name:str, folder:Path, sizes)->Study:
    return Study(load_task(name), STRATEGIES, sizes, SEEDS, settings=Settings(size=PIXELS), out=folder/name)


def complete(study)->list[int]:
    "Numbers of labels with which everything is trained to its end"
    done = study.results.query("status == 'done'").groupby('n').size()
    return [n for n in study.sizes if done.get(n, 0) == len(study.strategies)*SEEDS]


def step_seconds(study)->dict: # strategy -> seconds of a step, alone on the machine
    "From a short training of each strategy that has steps, at the largest size"
    trained = study.results.query("steps > 0").strategy.unique()
    with tempfile.TemporaryDirectory() as folder:
        short = Study(study.task, trained, [study.sizes[-1]], 1, settings=replace(study.settings, max_steps=MEASURED), out=folder)
        short.run(jobs=1, progress=False)
        rows = short.results.set_index('strategy')
        return {label: rows.seconds[label]/rows.steps[label] for label in trained}


def on_a_quiet_machine(growth, study):
    "The same with seconds that are steps times the seconds of a step"
    seconds, checkpoints, ways = step_seconds(study), study.checkpoints, {}
    for label, by_n in growth.ways.items():
        mine = checkpoints[checkpoints.strategy == label]
        for n, way in by_n.items():
            steps = mean_looks(mine[mine.n == int(n)]).index
            times = [round(float(step*seconds[label]), 4) for step in steps] if len(steps) else way.seconds
            ways.setdefault(label, {})[n] = Way(times, way.scores, way.taken)
    print(growth.name, {label: f'{1000*s:.1f} ms a step' for label, s in seconds.items()})
    return replace(growth, ways=ways)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('studies', type=Path)
    parser.add_argument('--only-finished', action='store_true', help='train nothing of the studies; take what is there')
    args = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    for name in SIZES:
        study = study_of(name, args.studies, SIZES[name])
        if not args.only_finished: study.run()
        sizes = complete(study)
        if not sizes: continue
        study = study_of(name, args.studies, sizes)
        on_a_quiet_machine(growth_of(study), study).save(OUT/f'{name}.json')


if __name__ == '__main__': main()
