"docs/translate.py on tiny notebooks: what nbdev's directives, docments and links become on the site"

import nbformat
import notebooks
import pytest
import translate
from test_docs_notebooks import PNG, code_cell, result, save, stream
from nbformat.v4 import new_markdown_cell
from notebooks import ROOT

TITLE = new_markdown_cell('# A page\n\n> What it is about')


def page(tmp_path, *cells, **kw):
    "The cells of the page that a notebook of `cells` gives, the title apart"
    nb = translate.process(save(tmp_path/'nbs/01_a.ipynb', TITLE, *cells))
    return translate.translate(nb, **kw).cells[1:]


def only(tmp_path, *cells, **kw):
    found = page(tmp_path, *cells, **kw)
    assert len(found) == 1, [o.source for o in found]
    return found[0]


def test_title_and_lead(tmp_path):
    made = translate.translate(translate.process(save(tmp_path/'01_a.ipynb', TITLE)))
    assert made.cells[0].source.startswith('# A page\n') and 'What it is about' in made.cells[0].source
    nbformat.validate(made)


def test_page_name(): assert translate.page_name('training/03_unfreezing.ipynb').as_posix() == 'training/unfreezing.ipynb'


@pytest.mark.parametrize('hidden', ['#| hide\n1+1', '#| include: false\n1+1', '#| default_exp data', '#| echo: false\nx = 1',
                                    '#| export\nimport os\nfrom sys import path'])
def test_cells_that_are_not_shown(hidden, tmp_path): assert page(tmp_path, hidden) == []


@pytest.mark.parametrize('source, word', [('assert 1 == 1', 'Tests'), ('test_eq(1, 1)', 'Tests'), ('#| code-fold: true\nx = 1', 'Code'),
                                          ('#| code-fold: true\n#| code-summary: "Look"\nx = 1', 'Look'), ('#| export\nx = 1', 'Source')])
def test_folded_cells(source, word, tmp_path):
    cell = only(tmp_path, source)
    assert 'hide-input' in cell.metadata.tags and cell.metadata.mystnb.code_prompt_show == word
    assert '#|' not in cell.source


def test_a_test_that_shows_something_stays_open(tmp_path):
    cell = only(tmp_path, code_cell('assert 1\n2', result(text_plain='2')))
    assert cell.metadata.tags == [] and cell.outputs[0].data['text/plain'] == '2'


def test_outputs_worth_showing(tmp_path):
    cell = only(tmp_path, code_cell('fit()', result(text_html='<style>a {}</style>', text_plain='<IPython.core.display.HTML object>'),
                                    result(text_html='', text_plain='<IPython.core.display.HTML object>'),
                                    result(text_html='<table></table>', text_markdown='```|a|```', text_plain='x'),
                                    stream('careful', 'stderr'), stream('said'), result(text_plain='<Axes object>')))
    kinds = [o.get('name') or sorted(o.data) for o in cell.outputs]
    assert kinds == [['text/html', 'text/plain'], 'stdout']


@pytest.mark.parametrize('directive', ['output: false', 'include: false'])
def test_no_output(directive, tmp_path):
    assert all(not o.outputs for o in page(tmp_path, code_cell(f'#| {directive}\n1', result(text_plain='1'))))


def test_picture_has_words(tmp_path):
    shown = result(image_png=PNG)
    cell = only(tmp_path, code_cell("#| fig-cap: 'Two lines'\nplot()", shown))
    assert cell.metadata.mystnb == {'figure': {'caption': 'Two lines'}, 'image': {'alt': 'Two lines'}}
    cell = only(tmp_path, code_cell("#| fig-cap: 'Two lines'\n#| fig-alt: 'One rises'\nplot()", shown))
    assert cell.metadata.mystnb.image.alt == 'One rises'
    with pytest.raises(ValueError, match='a picture without words; add `#| fig-cap:`'): page(tmp_path, code_cell('plot()', shown))


def test_widget_state_only_where_a_widget_is_shown(tmp_path):
    nb = translate.process(save(tmp_path/'a.ipynb', TITLE, '1+1'))
    nb.metadata['widgets'] = {notebooks.WIDGET_STATE: {'state': {}}}
    assert 'widgets' not in translate.translate(nb).metadata
    nb.cells[-1].outputs = [result(**{notebooks.WIDGET_VIEW: dict(model_id='0')})]
    assert 'widgets' in translate.translate(nb).metadata


def test_columns_of_words_are_marked():
    html = ('<table><tr style="x"><th></th><th>n</th><th>about</th></tr><tr><th rowspan="2">a</th><td>1,000</td><td>all of it</td></tr>'
            '<tr><td>-2.5e-3</td><td>7</td></tr></table><p>x</p>')
    marked = translate.mark_words(html)
    assert marked.replace(' class="words"', '') == html
    assert [o.split('>')[0] for o in marked.split(' class="words">')[1:]] == ['about</th', 'all of it</td', '7</td']


def test_order_of_what_one_cell_exports(tmp_path):
    recipes = next((ROOT/'nbs/training').glob('*_recipes.ipynb'))
    nb = translate.process(recipes)
    made = [o.source.split('(')[0].split()[-1] for o in translate.translate(nb).cells if o.source.startswith('::::{py:')]
    assert made.index('Phase') < made.index('Strategy') < made.index('parse_strategy')


def test_module_of_a_room(tmp_path):
    "The names of `room.module` are found where they are, in whatever folder the notebook lies"
    nb = translate.process(save(tmp_path/'nbs/basics/02_choices.ipynb', TITLE, '#| default_exp basics.choices', '#| export\ndef counted(): pass'))
    assert nb.module == 'tl_vs_scratch.basics.choices'
    assert translate.shown_names(nb) == {'counted': 'tl_vs_scratch.basics.choices.counted'}
    assert any(':module: tl_vs_scratch.basics.choices' in o.source for o in translate.translate(nb).cells)


# --- names ---

def test_entry_of_a_function():
    text = translate.entry('tl_vs_scratch.training.unfreezing', 'discriminative_lrs')
    assert text.startswith('::::{py:function} discriminative_lrs(lr, stages, decay=None)\n:module: tl_vs_scratch.training.unfreezing\n')
    assert '| ``lr`` | `float` | Learning rate of the head |' in text
    assert r'| ``stages`` | `int \| Learner` |' in text and '| ``decay`` | `float | None = None` |'.replace(' | N', r' \| N') in text
    assert "| *gives* | `list[float]` | One rate per stage, input first, the head's last |" in text


def test_entry_without_docments_has_its_types_in_the_signature():
    text = translate.entry('tl_vs_scratch.training.unfreezing', 'group_names')
    assert '(learn: Learner) -> list[str]' in text and '|---|' not in text


def test_entry_of_a_command_says_what_its_help_says():
    text = translate.entry('tl_vs_scratch.cli', 'compare')
    assert 'Annotated' not in text and '| ``seeds`` | `int = None` | Trainings per strategy and size' in text
    assert '| ``as_json`` | `bool = False` | Print JSON' in text # from an alias


def test_entry_of_a_class():
    text = translate.entry('tl_vs_scratch.studies.study', 'Study')
    assert text.startswith('::::{py:class} Study(task, strategies=') and ':::{py:method} Study.run(jobs=None' in text
    read = translate.entry('tl_vs_scratch.studies.results', 'Results')
    assert ':::{py:property} Results.results\n:module: tl_vs_scratch.studies.results\n:type: pd.DataFrame\n' in read
    assert '_repr_html_' not in text + read
    assert 'Study.run' not in translate.entry('tl_vs_scratch.studies.study', 'Study', apart={'Study.run'})
    assert '``steps`` | `int \\| None = None` | Optimiser steps' in translate.entry('tl_vs_scratch.training.recipes', 'Phase') # a dataclass


@pytest.mark.parametrize('text, want', [
    ('see `Task` and `tlvs.emoji()`', 'see {py:obj}`Task <m.Task>` and {py:obj}`tlvs.emoji <m.emoji>`'),
    ('`unknown`, [`Task`](x.md), ``Task``', None), ('# About `Task`', None), ('```\n`Task`\n```', None), ('{py:obj}`Task <m.Task>`', None)])
def test_names_are_linked(text, want): assert translate.link_names(text, dict(Task='m.Task', emoji='m.emoji')) == (want or text)


def test_names_that_mean_one_thing():
    "A plain word may be an argument, and a name that two modules have is either's; what stands at the top is known everywhere"
    shown = [{'table': 'a.table', 'stage_table': 'a.stage_table', 'make_it': 'a.make_it', 'emoji': 'a.emoji', 'Task': 'a.Task', 'Task.dls': 'a.Task.dls'}, {'make_it': 'b.make_it'}]
    assert translate.telling_names(shown, ['emoji']) == {k: f'a.{k}' for k in ('stage_table', 'emoji', 'Task', 'Task.dls')}


def test_names_that_a_notebook_imports(tmp_path):
    nb = translate.process(save(tmp_path/'a.ipynb', TITLE, '#| export\nimport os\nfrom tl_vs_scratch.basics.choices import counted, listed\nfrom os import path'))
    assert translate.imported_names(nb) == {k: f'tl_vs_scratch.basics.choices.{k}' for k in ('counted', 'listed')}


def test_modules_are_linked_to_their_pages(tmp_path):
    nb = translate.process(save(tmp_path/'01_a.ipynb', TITLE, new_markdown_cell('Like `tasks.scores`, `tl_vs_scratch.fast` and `training.costs`, but `cli.x`')))
    modules = {'tasks.scores': 'tasks/scores.ipynb', 'fast': 'fast/index.ipynb', 'training.costs': 'training/costs.ipynb', 'cli': 'command/cli.ipynb'}
    text = translate.translate(nb, page='training/costs.ipynb', modules=modules).cells[1].source
    assert text == 'Like [`tasks.scores`](../tasks/scores.ipynb), [`tl_vs_scratch.fast`](../fast/index.ipynb) and `training.costs`, but `cli.x`'


def test_a_note_below_the_title(tmp_path):
    nb = translate.process(save(tmp_path/'01_a.ipynb', TITLE))
    first = translate.translate(nb, note='Internals').cells[0].source
    assert first.index('What it is about') < first.index('Internals') and '{rst-class} aside' in first


def test_names_of_fastai_are_linked():
    assert translate.link_names('a `Learner`', {}, translate.fastai_lookup()).startswith('a [`Learner`](https://docs.fast.ai/learner')
    assert translate.link_names('`run`', {}, translate.fastai_lookup()) == '`run`'


@pytest.mark.parametrize('text, want', [
    ('[a](tasks/03_media.ipynb)', '[a](tasks/media.ipynb)'), ('[a](../01_a.ipynb#some-part)', '[a](../a.ipynb#some-part)'),
    ('[a](../CREDITS.md)', '[a](credits.md)'), ('[a](https://x.org/01_a.ipynb)', None), ('`[a](01_a.ipynb)`', None),
    ('```\n[a](01_a.ipynb)\n```', None)])
def test_links_follow(text, want): assert translate.move_links(text, {'../CREDITS.md': 'credits.md'}) == (want or text)


def test_links_of_a_page_in_a_folder():
    moved = {'../CREDITS.md': 'credits.md'}
    assert translate.move_links('[a](../../CREDITS.md#x) [b](../tasks/00_task.ipynb)', moved, 'training') == '[a](../credits.md#x) [b](../tasks/task.ipynb)'
    assert translate.move_links('[a](../CREDITS.md)', moved, 'training') == '[a](../CREDITS.md)', 'there is none'


def test_callouts():
    assert translate.callouts('::: {.callout-note}\nx\n:::') == ':::{note}\nx\n:::'
    assert translate.callouts(':::{.callout-tip title="Try it"}\nx\n:::') == ':::{admonition} Try it\n:class: tip\nx\n:::'
