"docs/notebooks.py on tiny notebooks: saved outputs, clean and the same each time; a README from index.ipynb"

import base64
import tempfile

import nbformat
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

PNG = base64.b64encode(b'not really a picture').decode()


def save(path, *cells):
    "A notebook of `cells` at `path`; a plain string is a code cell"
    cells = [new_code_cell(o) if isinstance(o, str) else o for o in cells]
    for i, cell in enumerate(cells): cell['id'] = f'cell{i}'
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={'kernelspec': {'name': 'python3', 'display_name': 'x', 'language': 'python'}}), path)
    return path


def code_cell(source, *outputs): return new_code_cell(source, outputs=list(outputs))
def result(**data): return new_output('display_data', {k.replace('_', '/'): v for k, v in data.items()})
def stream(text, name='stdout'): return new_output('stream', name=name, text=text)


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
    "A notebook with what changes from run to run, executed twice"
    folder = tmp_path_factory.mktemp('run')
    (folder/'beside.txt').write_text('found')
    path = save(folder/'a.ipynb',
        'open("beside.txt").read()',
        'import ipywidgets as w\nslider = w.IntSlider(3)\nw.HBox([slider])',
        'import sys, warnings\nprint("one"); print("two")\nwarnings.warn("careful")\nobject()',
        code_cell('#| eval: false\nraise SystemError', stream('from an earlier day')),
        'import matplotlib.pyplot as plt\nplt.plot([1, 2]);')
    notebooks.run_notebook(path)
    first = path.read_text()
    notebooks.run_notebook(path)
    return first, path.read_text()


def test_second_run_changes_nothing(ran): assert ran[0] == ran[1]


def test_run_keeps_what_a_reader_needs(ran):
    nb = nbformat.reads(ran[0], as_version=4)
    beside, widget, noisy, skipped, plot = [o.outputs for o in nb.cells]
    assert beside[0].data['text/plain'] == "'found'"
    assert 'image/png' in plot[0].data
    assert skipped[0].text == 'from an earlier day'
    assert [o.text for o in noisy if o.get('name') == 'stdout'] == ['one\ntwo\n']
    assert 'cell.py' in next(o.text for o in noisy if o.get('name') == 'stderr')
    state = nb.metadata.widgets[notebooks.WIDGET_STATE]['state']
    assert sorted(state) == [f'{i:032x}' for i in range(len(state))]
    assert widget[0].data[notebooks.WIDGET_VIEW]['model_id'] in state
    slider = next(k for k, v in state.items() if v['model_name'] == 'IntSliderModel')
    assert f'IPY_MODEL_{slider}' in ran[0] and state[slider]['state']['value'] == 3


def test_run_leaves_no_noise(ran):
    nb = nbformat.reads(ran[0], as_version=4)
    assert all(o.execution_count is None and o.metadata == {} for o in nb.cells)
    for noise in (' at 0x', 'ipykernel_', 'iopub', 'language_info'): assert noise not in ran[0]


def test_failing_cell_saves_nothing(tmp_path):
    path = save(tmp_path/'bad.ipynb', '1+1', 'wrong_name')
    before = path.read_text()
    with pytest.raises(SystemExit, match="(?s)a cell failed, so nothing was saved.*name 'wrong_name' is not defined"):
        notebooks.main(['run', str(path)])
    assert path.read_text() == before


def test_missing_notebook(tmp_path):
    with pytest.raises(SystemExit, match='no such notebook'): notebooks.main(['run', str(tmp_path/'none.ipynb')])


def test_denoise():
    assert notebooks.denoise('/tmp/ipykernel_12/345.py:1: W') == 'cell.py:1: W'
    assert notebooks.denoise('File "/home/me/lib/site-packages/a/b.py"') == 'File "site-packages/a/b.py"'
    assert notebooks.denoise(f'train {tempfile.gettempdir()}/tmp8x_2ab4c --budget') == 'train a-folder --budget'
    assert notebooks.denoise('#T_ab12c_row0 #T_00ff1 id="T_ab12c"') == '#T_00000_row0 #T_00001 id="T_00000"'


def test_view_of_a_lost_widget_is_dropped():
    view = {notebooks.WIDGET_VIEW: {'model_id': 'f'*32}, 'text/plain': 'IntSlider()'}
    nb = new_notebook(cells=[code_cell('s', new_output('display_data', view))])
    assert dict(notebooks.number_widgets(nb).cells[0].outputs[0].data) == {'text/plain': 'IntSlider()'}


def test_find_notebooks(tmp_path):
    for name in ('b', 'answers/a', '.ipynb_checkpoints/b', '_drafts/c'): save(tmp_path/'nbs'/f'{name}.ipynb')
    assert [o.stem for o in notebooks.find_notebooks(tmp_path)] == ['a', 'b']


@pytest.fixture
def index(tmp_path):
    save(tmp_path/'nbs/index.ipynb',
        new_raw_cell('---\ntitle: My library\ndescription: What it is for\n---'),
        new_markdown_cell('See [chapter 1](tutorials/01.ipynb), [how](../CONTRIBUTING.md), [us](#us) and [all](https://x.org/a).\n\n`f[0](x)`'),
        new_markdown_cell('#| hide\n\nnot for readers'),
        code_cell('#| hide\nsecret = 1', stream('secret')),
        code_cell('#| echo: false\nprint("shown")', stream('shown\n'), stream('a warning', 'stderr')),
        code_cell("#| fig-cap: 'Two bars'\nplot()", result(text_plain='<Figure size 1x1>', image_png=PNG)),
        code_cell('#| output: false\nquiet()', stream('noise')),
        code_cell('table', result(text_plain='a b', text_html='<table>', text_markdown='|a|b|'), result(text_plain='a  b', text_html='<table>')),
        code_cell('HTML(x)', result(text_plain='<IPython.core.display.HTML object>', text_html='<style>')))
    return tmp_path


def test_readme(index):
    written = notebooks.readme(root=index)
    assert sorted(written) == ['README.md', 'docs/images/readme-1.png']
    text = (index/'README.md').read_text()
    assert text.split('\n\n', 1)[1] == '''\
# My library

> What it is for

See [chapter 1](nbs/tutorials/01.ipynb), [how](CONTRIBUTING.md), [us](#us) and [all](https://x.org/a).

`f[0](x)`

```text
shown
```

```python
plot()
```

![Two bars](docs/images/readme-1.png)

```python
quiet()
```

```python
table
```

|a|b|

```text
a  b
```

```python
HTML(x)
```
'''
    assert (index/'docs/images/readme-1.png').read_bytes() == b'not really a picture'


def test_readme_check(index, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, 'ROOT', index)
    with pytest.raises(SystemExit, match='README.md.*run: python docs/notebooks.py readme'): notebooks.main(['readme', '--check'])
    assert not (index/'README.md').exists(), '--check writes nothing'
    notebooks.main(['readme'])
    notebooks.main(['readme', '--check'])
    assert 'up to date' in capsys.readouterr().out
    stale = index/'docs/images/readme-9.png'
    stale.write_bytes(b'')
    with pytest.raises(SystemExit, match='readme-9.png'): notebooks.main(['readme', '--check'])
    notebooks.main(['readme'])
    assert not stale.exists()
