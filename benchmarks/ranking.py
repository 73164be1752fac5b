"""Does the body that `rank_bodies` puts first also win when it is fine-tuned? And would the larger one have told as much?

    python -m benchmarks.ranking DATA [--size 64] [--seeds 2] [--steps 200] [--labels 200] [--json FILE]

The EfficientNet-lites are pretrained; beside them two networks stand as contrast whose weights are random, one of them the largest of
all. Each is fine-tuned with the same labels for so many steps, or until it is done. Kendall's tau says how far an order agrees with that
of the fine-tuned scores: 1 is the same, -1 the reverse; of five bodies a single swap of neighbours costs .2, so that two orders differ
by little more than chance allows.
"""
import tempfile
from pathlib import Path

import numpy as np
import timm
from safetensors.torch import save_file
from scipy.stats import kendalltau
from tqdm import tqdm

from benchmarks.machine import arguments, finish
from tl_vs_scratch.answers.ranking import rank_bodies
from tl_vs_scratch.networks.names import LITES, FromFile
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.recipes import Settings
from tl_vs_scratch.training.refits import quick_training
from tl_vs_scratch.training.trial import run_trial

UNTRAINED = 'timm/resnet18', 'timm/mobilenetv3_small_050'


def untrained(name, folder):
    "A body that counts as pretrained, and whose weights are random"
    path = Path(folder)/f'{name.replace("/", "_")}.safetensors'
    save_file(timm.create_model(name.removeprefix('timm/'), num_classes=0).state_dict(), path)
    return FromFile(name, path)


def fine_tuned(task, body, n, seeds, settings):
    "Test accuracies"
    rows = []
    for seed in range(seeds):
        with quick_training(): rows.append(run_trial(task, 'fine_tune', n, seed, body, settings).row)
    return [row['test_score'] for row in rows], [row['status'] for row in rows]


def taus(rows, bodies):
    "How far each order agrees with that of the fine-tuned scores"
    def column(name): return [rows[str(body)][name] for body in bodies]
    return {name: float(kendalltau(column(name), column('fine_tuned')).statistic) for name in ('ridge', 'neighbours', 'millions')}


def main():
    args = arguments(__doc__, seeds=2, steps=200, labels=200)
    task, size = load_task(args.data), args.size or 64
    settings = Settings(size=size, max_steps=args.steps)
    with tempfile.TemporaryDirectory() as folder:
        bodies = [*LITES, *(untrained(name, folder) for name in UNTRAINED)]
        table = rank_bodies(task, bodies, size).table.set_index('body')
        rows = {}
        for body in tqdm(bodies, leave=False):
            scores, status = fine_tuned(task, body, args.labels, args.seeds, settings)
            at = table.loc[str(body)]
            rows[str(body)] = dict(ridge=float(at.accuracy), ridge_ci95=[float(at.low), float(at.high)], neighbours=float(at.neighbours),
                                   millions=float(at.millions), fine_tuned=float(np.mean(scores)), scores=scores, status=status)
    finish(args, dict(benchmark='ranking', task=task.name, size=size, seeds=args.seeds, steps=args.steps, n=args.labels, bodies=rows,
                      tau=taus(rows, bodies), tau_of_lites=taus(rows, LITES)))


if __name__ == '__main__': main()
