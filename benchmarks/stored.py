"""The studies that come with the library, for `tlvs.explore` and the atlas: everything trained to its end

    python -m benchmarks.stored STUDIES [--only-finished]

STUDIES is a folder for the studies themselves, a folder each; what is missing is trained there first, an hour or two on two cores, and may be
interrupted. A training's seconds are told by its steps, from two short trainings of each strategy at the end, one at a time, so that what else the
machine did in those hours does not show. Writes tl_vs_scratch/stored/*.json, a study each, atlas.csv, and depths.csv: what came of training more
or less of a network.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tl_vs_scratch.answers import shown # noqa: F401 - gives `summary` to studies
from tl_vs_scratch.answers.atlas import ATLAS, atlas_rows
from tl_vs_scratch.answers.freezing import on_one_body
from tl_vs_scratch.answers.growing import Way, growth_of, mean_looks
from tl_vs_scratch.studies.study import Study
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.tasks.task import Task
from tl_vs_scratch.training.recipes import STRATEGIES as RECIPES, Settings

SIZES = dict(emoji=(20, 40, 80, 160, 309), digits=(50, 100, 200, 400, 800), # labels
             emoji_words=(50, 100, 200, 309), languages=(100, 300, 1000))
STRATEGIES = 'most_frequent', 'plain', 'nearest_neighbour', 'linear_probe', 'all_stages_probe', 'scratch:small', 'fine_tune'
SLOW = dict(languages=['fine_tune']) # left out: see `FINE_TUNED` of benchmarks.texts
DEPTHS = dict(emoji=(20, 80)) # task -> labels with which more and more of a network is trained
PIXELS, SEEDS, MEASURED = 32, 3, (60, 180) # of pictures; seeds; steps of the two trainings that are timed
OUT = Path(__file__).parent.parent/'tl_vs_scratch/stored'


def study_of(task:Task, folder:Path, sizes, pixels:int=PIXELS)->Study:
    strategies = [o for o in STRATEGIES if o not in SLOW.get(task.name, ())]
    size = pixels if task.medium.many == 'pictures' else None
    return Study(task, strategies, sizes, SEEDS, settings=Settings(size=size), out=folder/task.name)


def last_stages(k:int, color:str):
    "Only the last stages and the head are trained"
    partial = RECIPES['partial_fine_tune']
    phases = *partial.phases[:-1], replace(partial.phases[-1], train=k)
    return replace(partial, name=f'last_{k}_stages' if k > 1 else 'last_stage', phases=phases, color=color)


def study_of_depths(name:str, folder:Path)->Study:
    "From the head alone to all of the network; what the study of the task has trained is not trained again"
    strategies = 'linear_probe', last_stages(1, '#009E73'), 'partial_fine_tune', last_stages(6, '#E69F00'), 'fine_tune'
    return Study(load_task(name), strategies, DEPTHS[name], SEEDS, settings=Settings(size=PIXELS), out=folder/name)


def complete(study)->list[int]:
    "Numbers of labels with which everything is trained to its end"
    done = study.results.query("status == 'done'").groupby('n').size()
    return [n for n in study.sizes if done.get(n, 0) == len(study.strategies)*SEEDS]


def timed(study, steps:int)->dict: # strategy -> (steps, seconds)
    "A training of so many steps, alone on the machine, at the largest size; one may be done before"
    labels = study.results.query("steps > 0").strategy.unique()
    trained = [label if ':' in label else study.entrants[label].strategy for label in labels] # `:` names a body
    with tempfile.TemporaryDirectory() as folder:
        short = Study(study.task, trained, [study.sizes[-1]], 1, settings=replace(study.settings, max_steps=steps), out=folder)
        short.run(jobs=1, progress=False)
        return {row.strategy: (row.steps, row.seconds) for row in short.results.itertuples()}


def paces(study)->dict: # strategy -> (seconds before the first step, seconds of a step)
    "A straight line through two short trainings of each strategy that has steps"
    timed(study, MEASURED[0]) # what only the first trainings of a process wait for
    short, long = (timed(study, steps) for steps in MEASURED)
    found = {}
    for label, (steps, seconds) in short.items():
        step = (long[label][1] - seconds)/(long[label][0] - steps)
        found[label] = max(0., seconds - steps*step), step
    print(study.task.name, {label: f'{first:.1f} s, then {1000*step:.1f} ms a step' for label, (first, step) in found.items()})
    return found


def on_a_quiet_machine(growth, study, pace:dict):
    "The same with seconds that go with the steps"
    checkpoints, ways = study.checkpoints, {}
    for label, by_n in growth.ways.items():
        mine = checkpoints[checkpoints.strategy == label]
        for n, way in by_n.items():
            steps = mean_looks(mine[mine.n == int(n)]).index
            times = [round(float(np.dot(pace[label], (1, step))), 4) for step in steps] if len(steps) else way.seconds
            ways.setdefault(label, {})[n] = Way(times, way.scores, way.taken)
    return replace(growth, ways=ways)


def places(study, pace:dict)->pd.DataFrame:
    "What it adds to the atlas, with such seconds as well"
    rows, steps = atlas_rows(study), study.results.groupby(['strategy', 'n']).steps.mean()
    for start in ('pretrained', 'scratch'):
        rows[f'{start}_seconds'] = [np.dot(pace[key[0]], (1, steps[key])) for key in zip(rows[start], rows.labels)]
    return rows


def depths(study, pace:dict)->pd.DataFrame:
    "A row per strategy and number of labels, with such seconds as well"
    body, table = on_one_body(study)
    steps = study.results.groupby(['strategy', 'n']).steps.mean()
    seconds = [np.dot(pace[label], (1, steps[label, n])) for label, n in zip(table.strategy, table.n)]
    colors = table.strategy.map({label: arm.color for label, arm in study.strategies.items()})
    columns = ['strategy', 'n', 'trainable_params', 'score', 'low', 'high', 'train_score']
    return table[columns].assign(seconds=seconds, color=colors, task=study.task.name, body=body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('studies', type=Path)
    parser.add_argument('--only-finished', action='store_true', help='train nothing of the studies; take what is there')
    args = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    rows = []
    for name in SIZES:
        study = study_of(load_task(name), args.studies, SIZES[name])
        if not args.only_finished: study.run()
        sizes = complete(study)
        if not sizes: continue
        study = study_of(study.task, args.studies, sizes)
        pace = paces(study)
        on_a_quiet_machine(growth_of(study), study, pace).save(OUT/f'{name}.json')
        rows.append(places(study, pace))
    for name in DEPTHS:
        study = study_of_depths(name, args.studies)
        if not args.only_finished: study.run()
        if complete(study) == study.sizes: depths(study, paces(study)).round(4).to_csv(OUT/'depths.csv', index=False)
    atlas = pd.concat(rows, ignore_index=True)
    atlas.round(4).to_csv(ATLAS, index=False)
    print(atlas[['task', 'labels', 'pretrained', 'scratch', 'gain', 'low', 'high', 'worth']].round(3).to_string(index=False))


if __name__ == '__main__': main()
