"What every benchmark shares: its command line, the machine it ran on, its clock"

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch


def arguments(doc, **options):
    "The parsed command line: DATA, --size, --json, and one option per keyword"
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='DATA', help='a folder of pictures, or a built-in task')
    parser.add_argument('--size', type=int, help="side of the pictures in pixels (default: the task's own)")
    parser.add_argument('--json', type=Path, help='write the figures here')
    for name, default in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=f'default: {default}')
    return parser.parse_args()


def machine():
    "Processor, cores and versions, for the record"
    try: cpu = next(l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name'))
    except (OSError, StopIteration): cpu = platform.processor()
    return dict(cpu=cpu, cores=os.cpu_count(), threads=torch.get_num_threads(), load=os.getloadavg()[0],
                **{k: version(k) for k in ('torch', 'fastai', 'timm', 'tl-vs-scratch')}, date=time.strftime('%Y-%m-%d'))


class Clock:
    "Seconds since the start, without what happened in `paused`"
    def __init__(self): self.start, self.away = time.perf_counter(), 0.
    @property
    def seconds(self): return time.perf_counter() - self.start - self.away
    @contextmanager
    def paused(self):
        began = time.perf_counter()
        try: yield
        finally: self.away += time.perf_counter() - began


@contextmanager
def empty_cache(pictures=False):
    "A cold start: no activation, no pass made ready and, unless `pictures` stay, no decoded picture"
    from tl_vs_scratch.basics.session import session
    def forget(): session.empty(*(('tables', 'passes', 'sizes') if pictures else ()))
    before = os.environ.get('TLVS_CACHE_DIR')
    with tempfile.TemporaryDirectory() as folder:
        os.environ['TLVS_CACHE_DIR'] = folder
        forget()
        try: yield
        finally:
            forget()
            os.environ.pop('TLVS_CACHE_DIR')
            if before is not None: os.environ['TLVS_CACHE_DIR'] = before


def median(values): return statistics.median(values)


def interval(values):
    "Mean of paired differences over seeds with its 95% interval (t distribution); None with one value"
    from scipy import stats
    values = np.asarray(values, float)
    if len(values) < 2: return float(values.mean()), None
    half = stats.t.ppf(.975, len(values) - 1)*values.std(ddof=1)/len(values)**.5
    return float(values.mean()), [float(values.mean() - half), float(values.mean() + half)]


def finish(args, figures):
    "Print the figures and write them where asked"
    figures = dict(figures, machine=machine())
    print(json.dumps(figures, indent=1, default=float))
    if args.json: args.json.write_text(json.dumps(figures, indent=1, default=float) + '\n')
