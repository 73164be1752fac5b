"What the package promises as a package: metadata in one place, its names at the top, modules as their notebooks say"

import shutil
import tomllib
from configparser import ConfigParser
from importlib.metadata import metadata
from pathlib import Path

import pytest
import tl_vs_scratch as tlvs
from fastcore.xtras import working_directory
from nbdev.doclinks import nbdev_export

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def settings():
    config = ConfigParser(delimiters=['='], interpolation=None)
    config.read(ROOT/'settings.ini', encoding='utf-8')
    return config['DEFAULT']


def test_version(settings):
    assert tlvs.__version__ == settings['version'], 'installed under another version: run pip install -e ".[dev]" again'


def test_pyproject_repeats_settings(settings):
    project = tomllib.loads((ROOT/'pyproject.toml').read_text(encoding='utf-8'))['project']
    assert project['name'] == settings['dist_name']
    assert project['description'] == settings['description']
    assert metadata('tl-vs-scratch')['Summary'] == settings['description']


@pytest.mark.parametrize('name', tlvs.__all__)
def test_exposed_name_exists(name):
    assert getattr(tlvs, name) is not None
    assert name in dir(tlvs)


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'tl_vs_scratch' has no attribute 'no_such_name'"): tlvs.no_such_name


def test_modules_equal_notebooks(tmp_path, monkeypatch):
    "Export the notebooks again, into a copy, and compare"
    monkeypatch.delenv('IN_TEST', raising=False) # with it, nbdev exports nothing
    lib = tmp_path/'tl_vs_scratch'
    lib.mkdir()
    shutil.copy(ROOT/'pyproject.toml', tmp_path)
    shutil.copy(ROOT/'tl_vs_scratch'/'__init__.py', lib)
    shutil.copytree(ROOT/'nbs', tmp_path/'nbs')
    with working_directory(tmp_path): nbdev_export()

    def modules(folder): return {o.relative_to(folder).as_posix(): o.read_text(encoding='utf-8') for o in folder.rglob('*.py')}
    made, kept = modules(lib), modules(ROOT/'tl_vs_scratch')
    assert any('/' in o for o in made), 'no room was exported'
    problems = [f'{o} belongs to no notebook' for o in kept if o not in made]
    problems += [f'{o} is not what its notebook gives' for o in made if kept.get(o) != made[o]]
    if problems: pytest.fail('; '.join(sorted(problems)) + ': run nbdev-export, or nbdev-update if the module is right', pytrace=False)
