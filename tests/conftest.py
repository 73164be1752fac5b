"The chapters run only when asked for; plots never open a window; activations are cached in a folder of the tests' own"

import atexit
import logging
import os
import shutil
import sys
import tempfile

import pytest

os.environ['MPLBACKEND'] = 'Agg' # before anything imports matplotlib
os.environ.setdefault('OMP_NUM_THREADS', '1') # tests run side by side; threads that wait for a busy core cost more than they bring

if 'PYTEST_XDIST_WORKER' not in os.environ: # what tests and notebooks leave behind goes with the run; its workers are given the same folder
    os.environ['TMPDIR'] = tempfile.tempdir = tempfile.mkdtemp(prefix='tlvs-')
    os.chmod(tempfile.tempdir, 0o1777) # as /tmp is: tests that become a user without rights use it, too
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
os.environ['TLVS_CACHE_DIR'] = tempfile.mkdtemp(prefix='cache-')


def pytest_addoption(parser):
    parser.addoption('--chapters', action='store_true', default=os.environ.get('TLVS_CHAPTERS', '') not in ('', '0'),
                     help='also run the tutorial notebooks (as does TLVS_CHAPTERS=1)')


def pytest_collection_modifyitems(config, items):
    for o in items: # a file's tests share what it prepares; each notebook goes where there is room
        if o.path.stem != 'test_notebooks': o.add_marker(pytest.mark.xdist_group(o.path.stem))
    if config.getoption('chapters') or config.option.markexpr: return
    chapters = [o for o in items if o.get_closest_marker('chapters')]
    config.hook.pytest_deselected(items=chapters)
    items[:] = [o for o in items if o not in chapters]


@pytest.fixture(autouse=True)
def environment_stays():
    "A notebook may set variables, silence logs (Sphinx's warnings are logs) and keep open tables, networks and what else a session has"
    before = dict(os.environ)
    yield
    logging.disable(logging.NOTSET)
    if kept := sys.modules.get('tl_vs_scratch.basics.session'): kept.session.empty()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def plots_stay_off_screen():
    "Leave no figure open, and the backend as it was (a notebook's test sets its own)"
    yield
    if 'matplotlib.pyplot' not in sys.modules: return
    import matplotlib.pyplot as plt
    plt.close('all')
    plt.switch_backend('Agg')
