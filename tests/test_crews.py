"Who trains does not matter: processes of this machine, Dask or Ray give the same rows, also where a worker is killed in the middle"

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pandas as pd
import pytest
import tl_vs_scratch as tlvs
from commands import commands, paint_folder
from fastai.callback.core import Callback

GRID = dict(sizes=[12], seeds=2, strategies=['scratch:convnet', 'plain'], preset='exhaustive', max_steps=60, size=24, progress=False)
MEASURED = ['seconds', 'seconds_wall', 'seconds_tuning', 'peak_memory_mb', 'use_seconds_per_1000']


@pytest.fixture(scope='module')
def task(tmp_path_factory): return tlvs.from_folder(paint_folder(tmp_path_factory.mktemp('in')/'toy', classes='ab', each=20), size=24)


@pytest.fixture(scope='module')
def alone(task, tmp_path_factory):
    "The rows that this process comes to"
    return rows(tlvs.compare(task, jobs=1, out=tmp_path_factory.mktemp('alone'), **GRID))


def rows(study): return study.results.drop(columns=MEASURED)


class Dies(Callback):
    "Kills the process that it is in at step 40, so many times; notes where each process begins"
    def __init__(self, folder, times): self.folder, self.times = folder, times

    def before_fit(self):
        from tl_vs_scratch.training import trial
        trial.KEEP_EVERY = 0 # seconds between two checkpoints

    def after_step(self):
        begun, killed = self.folder/f'begun-{os.getpid()}', len(list(self.folder.glob('killed-*')))
        if not begun.exists(): begun.write_text(str(self.train_iter))
        if self.train_iter >= 40 and killed < self.times:
            (self.folder/f'killed-{os.getpid()}').touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('backend', ['loky', 'dask'])
def test_rows_are_those_of_one_process_though_a_worker_is_killed(backend, task, alone, tmp_path):
    def dies_once(label, n, seed): return [Dies(tmp_path, 1)] if (label, seed) == ('scratch:convnet', 0) else []
    study = tlvs.compare(task, jobs=2, backend=backend, cbs=dies_once, out=tmp_path/'out', **GRID)
    assert rows(study).equals(alone)
    assert len(list(tmp_path.glob('killed-*'))) == 1
    assert max(int(o.read_text()) for o in tmp_path.glob('begun-*')) > 10, 'it began anew'


def test_rows_of_ray_are_those_of_one_process(task, alone, tmp_path):
    "What it does where a worker is killed is tested in studies/03a_crews"
    assert rows(tlvs.compare(task, jobs=2, backend='ray', out=tmp_path, **GRID)).equals(alone)


def test_a_worker_that_always_dies_takes_no_other_training_with_it(task, alone, tmp_path):
    "As where one strategy needs more memory than there is"
    def dies_with_the_first_seed(label, n, seed): return [Dies(tmp_path, 99)] if (label, seed) == ('scratch:convnet', 0) else []
    grid = dict(jobs=2, out=tmp_path/'out', **GRID)
    study = tlvs.compare(task, cbs=dies_with_the_first_seed, **grid)
    assert study.results.status.tolist() == ['failed', 'done', 'learning', 'done']
    assert 'was killed, twice' in study.results.error[0] and 'memory' in study.results.error[0]
    pd.testing.assert_frame_equal(rows(study)[1:], alone[1:], check_dtype=False)
    assert rows(tlvs.compare(task, **grid)).equals(alone), 'the next run tries it again'


def test_nothing_is_read_before_the_crew_is_known(tmp_path):
    command = commands()
    for words, said in [(['--backend', 'daks'], "'loky', 'dask', 'ray'"), (['--address', 'tcp://here:1'], 'name the backend')]:
        done = command('compare', *words, cwd=tmp_path)
        assert done.status == 2 and said in done.err.replace('\n', ' ') and 'reading' not in done.err


def test_a_cluster_that_does_not_answer(task, tmp_path, monkeypatch):
    from tl_vs_scratch.studies import crews
    monkeypatch.setattr(crews, 'PATIENCE', 1)
    with pytest.raises(ConnectionError, match='no Dask scheduler answers at .*9999'):
        tlvs.compare(task, backend='dask', address='tcp://127.0.0.1:9999', out=tmp_path, **GRID)


def test_workers_of_a_running_cluster(task, alone, tmp_path):
    "As many at a time as it has workers; two threads of one worker train one after the other"
    from distributed import LocalCluster
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=':0', memory_limit=0) as cluster:
        study = tlvs.compare(task, jobs=2, backend='dask', address=cluster.scheduler_address, out=tmp_path, **GRID)
        assert rows(study).equals(alone)
        assert len(cluster.workers) == 1, 'somebody else owns it'


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    "A driver that tells of two GPUs"
    program = tmp_path/'nvidia-smi'
    program.write_text('#!/bin/sh\necho Made-up 1\necho Made-up 2\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)


def seen_by(crew):
    "What its workers are told to use"
    def seen():
        time.sleep(1) # so that no worker does all of the calls
        return os.environ.get('CUDA_VISIBLE_DEVICES')
    with crew: return {future.result() for future in [crew.submit(seen) for _ in range(2*crew.jobs)]}


@pytest.mark.parametrize('backend, allowed', [('loky', None), ('loky', '3,1'), ('dask', 'GPU-a, GPU-b')])
def test_each_worker_sees_one_gpu(backend, allowed, two_gpus, monkeypatch):
    from tl_vs_scratch.basics.session import session
    from tl_vs_scratch.studies.crews import crew_of, threads_for_one
    if allowed: monkeypatch.setenv('CUDA_VISIBLE_DEVICES', allowed)
    session.empty('workers')
    crew = crew_of(backend)
    try: assert crew.jobs == 2 and threads_for_one() is None and seen_by(crew) == set((allowed or '0,1').replace(' ', '').split(','))
    finally: crew.stop()


@pytest.mark.parametrize('allowed', ['', '-1'])
def test_gpus_that_are_hidden_are_not_used(allowed, two_gpus, monkeypatch):
    from tl_vs_scratch.studies.crews import own_gpus, threads_for_one
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', allowed)
    assert own_gpus() == [] and threads_for_one() == 1


def test_a_machine_with_two_gpus_says_so(two_gpus):
    from tl_vs_scratch.basics.provenance import machine
    assert machine()['machine'].endswith(', 2 GPUs: Made-up 1')


@pytest.mark.parametrize('there, jobs, found', [(dict(CPU=8., GPU=2.), None, (2, 1)), (dict(CPU=8., GPU=2.), 4, (4, .5)), (dict(CPU=8.), None, (8, 0))])
def test_ray_is_asked_for_gpus(there, jobs, found, monkeypatch):
    "Ray hides them from who asks for none; that it gives each task one of two was seen once, with a cluster"
    from tl_vs_scratch.studies import crews
    asked = {}
    def remote(**options):
        asked.update(options)
        return lambda call: SimpleNamespace(remote=lambda call: SimpleNamespace(future=lambda: done(call())))
    def done(value):
        future = Future()
        future.set_result(value)
        return future
    errors = SimpleNamespace(WorkerCrashedError=OSError, OutOfMemoryError=OSError, NodeDiedError=OSError)
    ray = SimpleNamespace(exceptions=errors, is_initialized=lambda: True, cluster_resources=lambda: there, remote=remote)
    monkeypatch.setattr(crews, 'backend_module', lambda name, extra: ray)
    assert (crews.RayCrew(jobs).jobs, asked['num_gpus']) == found


TWO = """
import sys
import torch
from fastai.distributed import DistributedDL # gives learners `distrib_ctx`
from fastai.torch_core import num_distrib, rank_distrib
from tl_vs_scratch.tasks.sources import load_task
from tl_vs_scratch.training.learners import pretrained_learner, scratch_learner
from tl_vs_scratch.training.unfreezing import freeze_to

def on_a_processor(self, t, rank): # fastai's own puts it on a GPU
    t = torch.LongTensor(t)
    torch.distributed.broadcast(t, rank)
    return t.tolist()

DistributedDL._broadcast = on_a_processor
torch.set_num_threads(1)
dls = load_task('emoji').dls(40, bs=8, size=32)
scratch, frozen = scratch_learner(dls, 'convnet'), freeze_to(pretrained_learner(dls), -3)
for learn in (scratch, frozen):
    before = [p.clone() for p in learn.model.parameters()]
    with learn.distrib_ctx(sync_bn=False), learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-2)
    moved = sum(not torch.equal(a, b) for a, b in zip(before, learn.model.parameters()))
    total = sum(float(p.detach().double().sum()) for p in learn.model.parameters())
    trained = sum(p.requires_grad for p in learn.model.parameters())
    with open(f'{sys.argv[1]}-{rank_distrib()}', 'a') as file: print(num_distrib(), moved, trained, total, file=file)
"""


def test_learners_train_in_two_processes_at_once(tmp_path):
    "By fastai's `distrib_ctx`, which is made for GPUs: both end with the same weights, and what is frozen stays"
    (tmp_path/'two.py').write_text(TWO)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', str(tmp_path/'two.py'), str(tmp_path/'rank')]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | dict(ACCELERATE_USE_CPU='1', OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr[-2000:]
    said, other = ((tmp_path/f'rank-{rank}').read_text() for rank in (0, 1))
    assert said == other, 'the same weights in both'
    for line in said.splitlines():
        processes, moved, trained = map(int, line.split()[:3])
        assert processes == 2 and moved == trained > 0
