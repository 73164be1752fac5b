"Every notebook runs from top to bottom, is clean, and the README is what index.ipynb gives"

import json
import os
import signal
from pathlib import Path

import notebooks as docs_notebooks
import pytest
from browser import why_not
from fastcore.ansi import strip_ansi
from fastcore.nbio import nb2str
from nbdev.clean import clean_nb
from nbdev.test import test_nb as run_nb # pytest would take the name test_nb for a test
from test_jupyterlab import CHAPTERS as IN_LAB

ROOT = Path(__file__).resolve().parent.parent
ALL = docs_notebooks.find_notebooks()
CHAPTERS = [o for o in ALL if o.parent.name in ('nbs', 'tutorials')] # and the front page, which runs a whole study
REFERENCE = [o for o in ALL if o not in CHAPTERS]
ELSEWHERE = [] if why_not() else IN_LAB # chapters that run in a JupyterLab need not run twice


def name_of(path): return path.relative_to(ROOT/'nbs').as_posix()


def check_runs(path, capfd):
    "Fail with the notebook's own traceback if one of its cells fails"
    interrupt, folder = signal.getsignal(signal.SIGINT), os.getcwd()
    try: passed, _ = run_nb(path, skip_flags=['notest'], profile=False, cell_timeout=900)
    finally: # test_nb sets a handler of its own; a notebook may change the folder
        signal.signal(signal.SIGINT, interrupt)
        os.chdir(folder)
    if not passed: pytest.fail(f'{name_of(path)}: a cell fails\n{strip_ansi(capfd.readouterr().err)}', pytrace=False)


@pytest.mark.parametrize('path', REFERENCE, ids=name_of)
def test_notebook_runs(path, capfd): check_runs(path, capfd)


@pytest.mark.chapters
@pytest.mark.parametrize('path', [o for o in CHAPTERS if o not in ELSEWHERE], ids=name_of)
def test_chapter_runs(path, capfd): check_runs(path, capfd)


@pytest.mark.parametrize('path', ALL, ids=name_of)
def test_notebook_is_clean(path):
    text = path.read_text(encoding='utf-8')
    nb = json.loads(text)
    clean_nb(nb)
    if nb2str(nb) != text: pytest.fail(f'{name_of(path)} is not clean: run nbdev-clean', pytrace=False)


def test_every_notebook_of_a_room_exports_into_it():
    "nbs/tasks/02_media.ipynb gives tl_vs_scratch/tasks/media.py; the command's notebooks lie in a folder, their module does not"
    wrong = []
    for path in REFERENCE:
        text, room, name = path.read_text(encoding='utf-8'), path.parent.name, path.stem.partition('_')[2]
        module = name if room == 'command' else f'{room}.{name}'
        if path.stem != 'index' and f'#| default_exp {module}' not in text: wrong.append(f'{name_of(path)} does not say #| default_exp {module}')
    if wrong: pytest.fail('\n'.join(wrong), pytrace=False)


def test_readme_is_up_to_date():
    changed = docs_notebooks.readme(check=True)
    if changed: pytest.fail(f"{', '.join(changed)}: not what nbs/index.ipynb gives; run: python docs/notebooks.py readme", pytrace=False)
