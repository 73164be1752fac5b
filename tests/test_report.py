"The report: what is in the page, what never is, and how it looks in a browser"

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tl_vs_scratch as tlvs
import torch
from browser import Browser, why_not
from commands import commands, paint_folder
from tl_vs_scratch.studies.store import Store
from tl_vs_scratch.studies.study import KEPT
from tl_vs_scratch.training import trial

TINY = dict(preset='exhaustive', max_steps=20, size=32, jobs=1, progress=False)
EVIL, ATTRIBUTE = '<script>alert(1)</script>', '" onerror="alert(2)'
VOID = {'meta', 'img', 'source', 'br', 'link', 'input', 'hr'}
ALWAYS = {'answer', 'how', 'again', 'limits'}
RESULTS = {'curves', 'senses', 'cost', 'gap', 'table', 'classes', 'samples', 'disagree'}


class Page(HTMLParser):
    "What a page is made of; complains where a tag is not closed in its turn"
    def __init__(self, path):
        super().__init__()
        self.html = Path(path).read_text(encoding='utf-8')
        self.tags, self.texts, self._open = [], {}, []
        self.feed(self.html)
        self.close()
        assert self._open == [], f'never closed: {self._open}'
    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID: self._open.append(tag)
    def handle_startendtag(self, tag, attrs): self.tags.append((tag, dict(attrs)))
    def handle_endtag(self, tag): assert self._open.pop() == tag, f'</{tag}> in line {self.getpos()[0]} closes something else'
    def handle_data(self, data):
        for tag in set(self._open): self.texts[tag] = self.texts.get(tag, '') + data
    def all(self, tag): return [a for t, a in self.tags if t == tag]
    @property
    def text(self): return self.texts['body']
    @property
    def names(self): return {t for t, _ in self.tags}
    @property
    def ids(self): return [a['id'] for _, a in self.tags if 'id' in a]


def check(path):
    "What holds for every report: one file, no script, no request, alternative texts, links that lead somewhere, a bound on its size"
    page = Page(path)
    assert page.names & {'script', 'iframe', 'object', 'embed', 'link', 'base', 'form'} == set()
    attrs = [(k, v or '') for _, a in page.tags for k, v in a.items()]
    assert [k for k, _ in attrs if k.startswith('on')] == []
    loaded = [v for k, v in attrs if k in ('src', 'href', 'srcset', 'action', 'poster', 'data')]
    assert [v[:60] for v in loaded if not v.startswith(('#', 'data:image/'))] == []
    assert not re.search(r'@import|url\(', page.texts['style'])
    assert "default-src 'none'" in page.all('meta')[1]['content']
    assert all(a['alt'].strip() for a in page.all('img'))
    assert all(a.get('aria-hidden') == 'true' or a['aria-label'] for a in page.all('svg'))
    assert len(page.ids) == len(set(page.ids)) and {v[1:] for v in loaded if v.startswith('#')} <= set(page.ids)
    assert ALWAYS <= set(page.ids) and len(page.html) < 3e6
    return page


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    "Networks this small only wait for a second thread"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def command(): return commands()


@pytest.fixture(scope='module')
def task(tmp_path_factory):
    "Pictures in folders with names of the kind that a page must not take for its own"
    folder = paint_folder(tmp_path_factory.mktemp('in')/'<b>toy', classes=['script', 'quote', 'ä & b'], each=40)
    task = tlvs.from_folder(folder, size=32)
    task.classes = [EVIL, ATTRIBUTE, 'ä & b'] # a folder's name can't hold a slash, a task's class can
    return task


@pytest.fixture(scope='module')
def study(task, tmp_path_factory):
    odd = tlvs.Strategy('<i>mine', 'random', (tlvs.Phase(train='all', lr=1e-2),), about='<u>odd', color='tab:pink', marker='h')
    wild = tlvs.Strategy('wild', 'random', (tlvs.Phase(train='all', lr=1e30),))
    return tlvs.compare(task, sizes=[12, 30], seeds=2, strategies=['linear_probe', 'scratch:convnet', odd, wild], out=tmp_path_factory.mktemp('out'), **TINY)


@pytest.fixture(scope='module')
def page(study): return check(study.report())


# --- what is in it ---

def test_sections_in_their_order(page):
    ids = [i for i in page.ids if i in ALWAYS | RESULTS | {'failed'}]
    assert ids == ['answer', 'curves', 'senses', 'cost', 'gap', 'table', 'classes', 'samples', 'disagree', 'failed', 'how',
                   'again', 'limits']
    links = [a['href'][1:] for a in page.all('a')]
    assert links[:len(ids)] == ids and all(o.startswith('mix-') for o in links[len(ids):])


def test_the_code_that_repeats_the_study(study, page):
    code = page.text[page.text.index('import tl_vs_scratch as tlvs'):page.text.index('model = study.train()')]
    compile(code, 'report', 'exec')
    assert f'seeds={study.seeds}' in code and f'sizes={study.sizes}' in code and f'size={study.settings.size}' in code


def test_the_answer_is_that_of_the_summary(page, study):
    summary, text = study.summary(), ' '.join(page.text.split())
    for words in summary.words: assert words in text
    assert text.index(summary.words[0]) < text.index('Accuracy against labels')


def test_every_number_of_the_table(page, study):
    text = ' '.join(page.texts['td'].split())
    for row in study.summary().shown().astype(str).to_numpy(): assert all(v in text for v in row), row


def test_names_are_shown_and_not_run(page):
    for name in (EVIL, ATTRIBUTE, 'ä & b', '<i>mine', '<u>odd', '<b>toy'): assert name in page.text
    assert page.names & {'script', 'i', 'u'} == set()
    assert '<b>toy' in page.texts['title'] and EVIL not in page.html and '<b>toy' not in page.html


def test_failed_trials_with_their_errors(page):
    assert 'FloatingPointError: the loss became' in page.texts['td'] and '4 trials failed' in page.text
    assert 'wild' in page.texts['td']


def test_a_traceback_is_folded_behind_its_error(page):
    assert page.texts['summary'].count('Traceback of wild') == page.texts['pre'].count('Traceback (most recent call last)') > 0
    assert 'FloatingPointError' in page.texts['pre'] and 'open' not in dict(page.tags)['details']


def test_a_strategy_of_ones_own_brings_its_looks(page):
    assert page.html.count('stroke="#e377c2"') >= 6, 'its line, its marker and its interval, wherever it is named'
    assert '<u>odd' in page.text


def test_each_picture_is_embedded_once(page):
    uses, kept = [a['href'][1:] for a in page.all('use')], page.all('image')
    assert len(uses) > len(kept) > 0 and set(uses) == {a['id'] for a in kept}
    assert len({a['href'] for a in kept}) == len(kept)


def test_pictures_say_what_they_were_taken_for(page, study):
    "The alternative text of each wrong picture is what the stored scores say"
    truth, classes = study.task.labels[study.task.test_idxs], study.task.classes
    guesses = list(study.guesses(30)['linear_probe'].values())
    said = [(a['aria-label'], int(u['href'][2:])) for (_, a), (tag, u) in zip(page.tags, page.tags[2:]) if tag == 'use' and a['aria-label'].endswith('by linear_probe')]
    assert said or all((g == truth).all() for g in guesses)
    for words, i in said: assert words in [f'{classes[truth[i]]}, taken for {classes[g[i]]} by linear_probe' for g in guesses]


def test_how_it_was_measured(page, study):
    for o in (study.task.fingerprint, *study.digests.values(), f'torch {torch.__version__.split("+")[0]}', 'processor cores', 'Pictures of 32 pixels'): assert o in page.text, o


def test_plots_are_svg_that_knows_the_dark(page):
    sources = [a['src'] for a in page.all('img')] + [a['srcset'] for a in page.all('source')]
    assert len(sources) == len(set(sources)) == 9 and all(o.startswith('data:image/svg+xml;base64,') for o in sources)


def test_another_score(study, tmp_path):
    "The same trainings, judged by log loss: no share of anything, and the guess of that score"
    page = check(tlvs.Results(study.out, score='log_loss').report(tmp_path/'nats.html'))
    assert RESULTS <= set(page.ids) and 'Log loss against labels' in page.text
    assert 'nats' in page.text and 'accurate' not in page.text and "giving the classes' frequencies as probabilities" in page.text
    assert [a['alt'] for a in page.all('img') if 'log loss' in a['alt'].lower()] and page.names & {'script', 'i', 'u'} == set()


# --- small and broken studies ---

def compare(task, out, **grid): return tlvs.compare(task, **(dict(sizes=[12, 30], seeds=2, strategies=['scratch:convnet', 'linear_probe'], out=out) | TINY | grid))


def test_one_seed(task, study, tmp_path):
    page = check(compare(task, study.out, seeds=1).report(tmp_path/'one.html'))
    assert RESULTS <= set(page.ids) and 'No answer yet' in page.text and 'with one seed there is no interval' in page.text
    assert 'is ahead' not in page.text and '95% interval of it' not in page.text and 'one seed proves nothing' in page.text


def test_one_size(task, study, tmp_path):
    page = check(compare(task, study.out, sizes=[30]).report(tmp_path/'one.html'))
    assert RESULTS <= set(page.ids) and '1 size,' in page.text


def test_one_strategy(task, study, tmp_path):
    page = check(compare(task, study.out, strategies=['linear_probe']).report(tmp_path/'one.html'))
    assert RESULTS - {'senses'} <= set(page.ids) and 'senses' not in page.ids
    assert 'run at least 3 seeds (linear_probe)' in page.text and 'Which differences are real' not in page.text
    assert 'Wrong with every strategy' in page.text and '1 strategy,' in page.text


def test_only_failures(task, tmp_path, monkeypatch):
    def fail(*args, **kwargs): raise RuntimeError(f'the disk is full of {EVIL}')
    monkeypatch.setattr(trial, 'run_trial', fail)
    page = check(compare(task, tmp_path).report())
    assert set(page.ids) & (RESULTS | {'failed'}) == {'failed'} and page.all('img') == []
    assert 'No answer: no training has finished.' in page.text and '8 trials failed' in page.text and f'RuntimeError: the disk is full of {EVIL}' in page.texts['td']


def test_a_test_set_too_large_to_keep(task, tmp_path):
    "A bounded number of its pictures is kept; what is counted is still counted over all of them"
    rng, n = np.random.default_rng(0), KEPT + 60
    pictures = [rng.integers(0, 255, (16, 16, 3), dtype=np.uint8) for _ in range(n + 40)]
    large = tlvs.make_task('large', pictures, [f'{i}' for i in range(n + 40)], [i % 2 for i in range(n + 40)], ['a', 'b'], tlvs.Pictures(32),
                           is_test=[i >= 40 for i in range(n + 40)])
    study = compare(large, tmp_path, sizes=[20], strategies=['scratch:convnet'])
    assert len(study.excerpts()) == KEPT
    page = check(study.report())
    assert f'of {n} test pictures' in page.text and 0 < len(page.all('image')) <= 30, 'ten right, ten wrong, ten wrong with every seed'


def test_pictures_that_are_gone(task, tmp_path):
    "Without its pictures, a study has no less to say in numbers"
    study = compare(task, tmp_path, sizes=[12], strategies=['scratch:convnet'], seeds=1)
    with study.store.open() as db: db.execute('DELETE FROM excerpts')
    page = check(study.report())
    assert 'samples' not in page.ids and 'disagree' in page.ids and page.all('image') == []


def test_what_was_left_out_is_named(tmp_path):
    "A few names stand in the list of facts; where there are more, all of them are listed, folded"
    folder = paint_folder(tmp_path/'copies', classes=['cat', 'dog'], each=20)
    for i in range(2): shutil.copy(next((folder/'cat').iterdir()), folder/'cat'/f'again{i}.png')
    few = tlvs.from_folder(folder, size=32)
    page = check(compare(few, tmp_path/'few', sizes=[12], strategies=['scratch:convnet'], seeds=1).report())
    assert set(few.dropped['id']) and all(name in page.text for name in few.dropped['id']) and page.texts['summary'].split() == ['In', 'detail']
    for i in range(2, 9): shutil.copy(next((folder/'cat').iterdir()), folder/'cat'/f'again{i}.png')
    many = tlvs.from_folder(folder, size=32)
    page = check(compare(many, tmp_path/'many', sizes=[12], strategies=['scratch:convnet'], seeds=1).report())
    assert len(many.dropped) > 5 and all(name in page.texts['details'] for name in many.dropped['id'])


class Notes(tlvs.Pictures):
    "Pictures that a report shows as texts"
    one, many, excerpt_type = 'note', 'notes', 'text/plain'
    def excerpt(self, source): return f'{EVIL} of {Path(source).parent.name}'.encode()


def test_excerpts_may_be_texts(task, tmp_path):
    "Words and excerpts come from the medium: no picture is named or shown"
    notes = tlvs.from_folder(Path(task.sources[0]).parents[1], size=32)
    notes.medium = Notes(32)
    page = check(compare(notes, tmp_path, sizes=[12], strategies=['scratch:convnet', 'linear_probe']).report())
    assert RESULTS <= set(page.ids) and EVIL in page.texts['q'] and page.all('image') == [] and 'script' not in page.names
    assert 'pictur' not in page.text.lower() and 'test notes' in page.text


# --- the command ---

def test_command_from_the_folder_alone(command, tmp_path):
    paint_folder(tmp_path/'photos', classes=['<script>', 'cat'])
    done = command('compare', 'photos', '--strategies', 'scratch:convnet', '--sizes', '8', '--seeds', '2', '--jobs', '1', '--out', 'out', cwd=tmp_path)
    assert done.status == 0 and 'report.html' in done.out
    made = (tmp_path/'out/report.html').read_text()
    check(tmp_path/'out/report.html')
    shutil.rmtree(tmp_path/'photos')
    elsewhere = tmp_path/'moved-away'
    (tmp_path/'out').rename(elsewhere)
    for o in ('report.html', 'results.csv', 'summary.json'): (elsewhere/o).unlink()
    done = command('report', elsewhere, cwd=tmp_path)
    assert (done.status, done.err) == (0, '') and str(elsewhere/'report.html') in done.out
    assert (elsewhere/'report.html').read_text().replace('moved-away', 'out') == made # but for the commands to copy


@pytest.mark.parametrize('kind, says', [('empty', 'there is no study.db'), ('missing', 'there is no study.db'), ('no db', 'no db/study.db'), ('no study', 'does not say what it holds')])
def test_no_study_is_one_sentence(kind, says, command, tmp_path):
    folder = tmp_path/kind
    if kind != 'missing': folder.mkdir()
    if kind == 'no db': (folder/'study.db').write_text('the diary of a nobody, page 1\n'*200)
    if kind == 'no study': Store(folder/'study.db')
    done = command('report', folder)
    assert done.status == 1 and done.out == '' and len(done.sentences) == 1 and says in done.err and str(folder) in done.err
    assert not (folder/'report.html').exists()


def test_report_does_not_train_or_change_results(study, tmp_path):
    before = study.results.to_csv()
    stored = tlvs.StoredStudy(study.out)
    assert stored.report(tmp_path/'again.html') and study.results.to_csv() == before
    assert not hasattr(stored, 'run'), 'what was read from a folder cannot train'


# --- in a browser ---

@pytest.fixture(scope='module')
def browser():
    if why_not(): pytest.skip(why_not())
    with Browser() as res: yield res


@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 390])
def test_in_a_browser(width, dark, browser, page, study):
    browser.size(width, 850)
    browser.dark(dark)
    browser.open(study.out/'report.html')
    assert browser.problems() == [] and browser.too_wide() == [] and browser.unreadable() == [] and browser.no_alt() == []
    assert browser.js("document.querySelector('h1').textContent").startswith('<b>toy')
    assert browser.js('[...document.images].every(o => o.complete && o.naturalWidth > 0)'), 'a plot is broken'
    shown = "document.querySelector('figure img').currentSrc"
    assert browser.js(f"{shown} === document.querySelector('source').srcset") == (width == 390), 'the narrow plot is for narrow screens'


def test_a_browser_runs_no_script_in_it(browser, study, tmp_path):
    "The page's own policy stops what would get past the escaping"
    html = study.report(tmp_path/'tampered.html').read_text()
    (tmp_path/'tampered.html').write_text(html.replace('</body>', '<script>document.title = "run"</script></body>'))
    browser.open(tmp_path/'tampered.html')
    assert browser.js('document.title') != 'run' and any('Content Security Policy' in o for o in browser.problems())
