"The house's structure: imports go one way, nobody takes what is private, lines are short and light modules stay light"

import imports
import pytest
import structure
from imports import ROOT

LIB = ROOT/imports.LIB
MODULES = imports.find_modules(ROOT)
ANY_MEDIUM = [o for room in ('training', 'studies', 'answers', 'cli') for o in MODULES if imports.room_of(o) == room]

TORCH = {'torch', 'torchvision', 'fastai', 'timm', 'scipy', 'sklearn'}
TABLES = {'pandas', 'matplotlib'}
FRONT = ['tl_vs_scratch', 'tl_vs_scratch.cli'] # what a terminal waits for
LIGHT = [o for o in MODULES if imports.room_of(o) in ('basics', 'tasks', 'studies', 'answers') and o != 'tl_vs_scratch.tasks.loading']
LIGHT += ['tl_vs_scratch.networks.names', 'tl_vs_scratch.training.recipes']


def none_of(problems, advice=''):
    if problems: pytest.fail('\n'.join([*problems, advice]).strip(), pytrace=False)


# ---- the library ----

def test_imports_go_one_way(): none_of(imports.wrong_ways(MODULES))
def test_no_circles(): none_of(imports.circles(MODULES))
def test_what_is_private_stays_private(): none_of(imports.private_takings(MODULES))
def test_lines_are_short(): none_of(structure.long_lines(structure.exported(LIB)))
def test_nothing_is_named_in_vain():
    "Imports and variables that nobody uses, names that nobody made (what pyflakes calls F)"
    none_of(structure.named_in_vain(ROOT, 'tl_vs_scratch', 'tests', 'benchmarks', 'docs'))


def test_every_room_is_there(): assert list(imports.rooms(MODULES)) == list(imports.ROOMS)


@pytest.mark.parametrize('room', imports.ROOMS)
def test_every_room_has_a_first_page(room):
    "It says in its second line what the room is for, and leads to all of its notebooks"
    folder = ROOT/'nbs'/imports.FOLDER.get(room, room)
    text = (folder/'index.ipynb').read_text(encoding='utf-8')
    assert imports.about(room)
    none_of([f'nbs/{folder.name}/index.ipynb does not lead to {o.name}' for o in sorted(folder.glob('[0-9]*.ipynb')) if f']({o.name})' not in text])


def test_density():
    "STYLE.md aims at 11 syntax nodes a line and 10% of functions above 150"
    found = structure.density(structure.exported(LIB))
    assert found.per_line < 12 and found.median < 60 and found.large < .12, str(found)


def test_any_medium():
    "Words for what is learnt from come from the task's medium"
    none_of(structure.words_of_pictures(MODULES[o] for o in ANY_MEDIUM), 'take the word from the medium: `task.medium.many`')


@pytest.mark.parametrize('path', sorted((LIB/'templates').iterdir()), ids=lambda o: o.name)
def test_templates_serve_any_medium(path):
    none_of(structure.template_words(path.read_text(encoding='utf-8'), css=path.suffix == '.css'))


def test_imports_are_light():
    none_of([f'{k} imports {", ".join(v)}' for k, v in structure.heavy_imports(FRONT, TORCH | TABLES, ROOT).items()])
    none_of([f'{k} imports {", ".join(v)}' for k, v in structure.heavy_imports(LIGHT, TORCH, ROOT).items()])


def test_drawing_and_table_are_what_the_code_gives():
    stale = [o.relative_to(ROOT).as_posix() for o, text in imports.made().items() if not o.exists() or o.read_text(encoding='utf-8') != text]
    none_of([f'{o} is not what the code gives' for o in stale], 'run: python docs/imports.py')


# ---- the checks themselves, on made-up packages ----

def house(folder, **modules):
    "A package under `folder`: `tasks__task='...'` is its module tasks.task"
    for name, text in modules.items():
        path = folder/'tl_vs_scratch'/f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        for o in (folder/'tl_vs_scratch', path.parent): (o/'__init__.py').touch()
        path.write_text(text)
    return imports.find_modules(folder)


SOUND = dict(basics__session='session = 1', fast__switch='def faster(): pass',
             tasks__task='from ..basics.session import session\nclass Task: pass',
             training__trial='from ..tasks.task import Task\nfrom ..fast.switch import faster\ndef _step(): pass\n_step()',
             cli='from .training.trial import Task')


def test_a_sound_house(tmp_path):
    modules = house(tmp_path, **SOUND)
    assert imports.wrong_ways(modules) == imports.circles(modules) == imports.private_takings(modules) == []
    assert imports.rooms(modules) == dict(basics=['session'], fast=['switch'], tasks=['task'], training=['trial'], cli=['cli'])
    assert imports.uses(modules) == dict(tasks=['basics'], training=['fast', 'tasks'], cli=['training'])


@pytest.mark.parametrize('text', ['from tl_vs_scratch.training.trial import Task', 'from ..training import trial', 'import tl_vs_scratch.training.trial',
                                  'def f():\n    from ..training.trial import Task', 'if 0: from ..training.trial import Task',
                                  'from importlib import import_module\nimport_module("tl_vs_scratch.training.trial")'])
def test_an_import_that_runs_back(text, tmp_path):
    said = imports.wrong_ways(house(tmp_path, **SOUND, tasks__words=text))
    assert len(said) == 1 and said[0].startswith('tl_vs_scratch.tasks.words:') and 'tasks may not import from training' in said[0]


@pytest.mark.parametrize('module, text, said', [
    ('basics__words', 'from ..fast.switch import faster', 'basics may not import from fast'),
    ('fast__words', 'from ..basics.session import session', 'fast may not import from basics'),
    ('tasks__words', 'from ..cli import Task', 'tasks may not import from cli'),
    ('tasks__words', 'import tl_vs_scratch as tlvs', 'imports the whole package'),
    ('tasks__words', 'from .. import compare', 'imports the whole package'),
    ('tasks__words', 'from tl_vs_scratch import __version__', ''), # the one thing that a room may ask of the front door
    ('cellar__wine', '', 'belongs to no room')])
def test_other_ways_that_are_wrong(module, text, said, tmp_path):
    problems = imports.wrong_ways(house(tmp_path, **SOUND, **{module: text}))
    assert any(said in o for o in problems) if said else problems == []


def test_a_circle(tmp_path):
    circle = dict(tasks__a='from .b import x', tasks__b='def f():\n    from .c import y', tasks__c='from tl_vs_scratch.tasks import a')
    said, = imports.circles(house(tmp_path, **SOUND, **circle))
    assert said == 'tl_vs_scratch.tasks.a -> tl_vs_scratch.tasks.b -> tl_vs_scratch.tasks.c -> tl_vs_scratch.tasks.a'


@pytest.mark.parametrize('text', ['from .trial import _step', 'from . import trial\ntrial._step()', 'import tl_vs_scratch.training.trial as t\nt._other()',
                                  'import tl_vs_scratch.training.trial\ntl_vs_scratch.training.trial._step', 'from .trial import *',
                                  'def f(thing): return thing._step', 'def f(thing): return getattr(thing, "_step", None)'])
def test_a_private_name_that_is_taken(text, tmp_path):
    said, = imports.private_takings(house(tmp_path, **SOUND, training__words=text))
    assert said.startswith('tl_vs_scratch.training.words:')


def test_own_private_names_may_be_used(tmp_path):
    text = 'class A:\n    def __init__(self): self._step = 1\n    def _repr_html_(self): return self._step\ndef f(a): return a._step + a._repr_html_()'
    assert imports.private_takings(house(tmp_path, **SOUND, training__words=text)) == []


def test_vain_names_are_found(tmp_path):
    (tmp_path/'a.py').write_text('import os\nimport re # noqa: F401 - for those who take it from here\nprint(sys)\n')
    first, second = structure.named_in_vain(tmp_path, 'a.py')
    assert '`os` imported but unused' in first and 'Undefined name `sys`' in second


def test_long_lines_are_found(tmp_path):
    modules = house(tmp_path, tasks__a='x = 1\n' + 'y = "' + 120*'y' + '"', tasks__b=f'__all__ = [{120*"a"},\n{120*"b"}]')
    assert structure.long_lines(modules.values()) == ['tasks/a.py:2 has 126 characters']


def test_density_is_counted(tmp_path):
    airy = house(tmp_path/'airy', tasks__a='def f(x):\n    """What\n    it does"""\n    # why\n    y = x\n\n    return y\n')
    packed = house(tmp_path/'packed', tasks__a='def f(x): return [' + '+'.join('x'*90) + ' for x in x]\ndef g(): pass\n')
    airy, packed = (structure.density(structure.exported(tmp_path/o)) for o in ('airy', 'packed'))
    assert airy.lines == 3 and airy.per_line < 7 and airy.large == 0
    assert packed.lines == 2 and packed.per_line > 90 and packed.large == .5 and '50.0% have more than 150' in str(packed)


@pytest.mark.parametrize('text', ['"A picture"', '# pixels', 'image_size = 1', 'def channels_last(): pass', 'Crop = 1'])
def test_words_of_pictures_are_found(text, tmp_path):
    modules = house(tmp_path, training__a='x = 1\n' + text)
    assert len(structure.words_of_pictures(modules.values())) == 1
    assert structure.words_of_pictures(house(tmp_path/'b', training__a='example = size = 1').values()) == []


@pytest.mark.parametrize('text, found', [('<p class="pictures" id="pixels">{{ many }}</p>', 0), ('{# pictures #}<picture><img></picture>', 0),
                                         ('<p>the {{ n }} test pictures</p>', 1), ('<p>\n64 pixels</p>', 1)])
def test_words_of_a_template(text, found): assert len(structure.template_words(text)) == found


def test_words_of_a_style_sheet():
    assert structure.template_words('.pictures > picture, #pixels { color: red } /* a picture */', css=True) == []
    assert len(structure.template_words('p::after { content: "picture" }', css=True)) == 1


def test_heavy_imports_are_found(tmp_path):
    house(tmp_path, tasks__a='def f(): import wave', tasks__b='import wave', tasks__c='from .b import wave')
    names = ['tl_vs_scratch', 'tl_vs_scratch.tasks.a', 'tl_vs_scratch.tasks.b', 'tl_vs_scratch.tasks.c']
    assert structure.heavy_imports(names, {'wave'}, tmp_path) == {'tl_vs_scratch.tasks.b': ['wave']}
    with pytest.raises(ImportError, match='no_such'): structure.heavy_imports(['no_such'], {'wave'}, tmp_path)


# ---- the drawing ----

def test_the_drawing_shows_rooms_modules_and_ways(tmp_path):
    modules = house(tmp_path, **SOUND)
    drawing = imports.draw(imports.rooms(modules), imports.uses(modules))
    for name in ('basics', 'session', 'tasks', 'trial'): assert f'>{name}</text>' in drawing
    assert 'training imports from fast and tasks' in drawing and drawing.count('class="head"') == 4


def test_the_table_says_what_a_room_is_for(tmp_path):
    from nbformat.v4 import new_markdown_cell
    from test_docs_notebooks import save
    house(tmp_path, **SOUND)
    save(tmp_path/'nbs/tasks/index.ipynb', new_markdown_cell('# Tasks\n\n> What is to be learnt'))
    (tmp_path/'CONTRIBUTING.md').write_text(f'# How\n\n{imports.BEGIN}old{imports.END}\n\nmore\n')
    made = imports.made(tmp_path)
    assert list(made) == [tmp_path/'docs/images/rooms.svg', tmp_path/'CONTRIBUTING.md']
    text = made[tmp_path/'CONTRIBUTING.md']
    assert '| [tasks](nbs/tasks/index.ipynb) | What is to be learnt | task | basics |' in text and 'old' not in text and text.endswith('\n\nmore\n')
    (tmp_path/'CONTRIBUTING.md').write_text('# How')
    with pytest.raises(ValueError, match='lacks the lines'): imports.made(tmp_path)
