"In a live JupyterLab: chapters run from top to bottom, and the sliders of every explorer change what is shown"

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from browser import Browser, why_not

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = [ROOT/'nbs'/'tutorials'/f'{name}.ipynb' for name in ('01_two_ways_to_start', '09_deciding')]
pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not() or 'never'), pytest.mark.xdist_group('lab')]

# A notebook is drawn as a whole, or what lies below the window is not there; nobody is asked about news
SETTINGS = {'@jupyterlab/notebook-extension:tracker': dict(windowingMode='none'), '@jupyterlab/apputils-extension:notification': dict(fetchNews='false')}


@contextmanager
def lab(folder, log):
    "A JupyterLab of its own on a free port of this machine; gives its address"
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{free.getsockname()[1]}'
    config = log.parent/'config'
    (config/'labconfig').mkdir(parents=True)
    (config/'labconfig'/'default_setting_overrides.json').write_text(json.dumps(SETTINGS))
    mine = {name: o for name, o in os.environ.items() if name != 'MPLBACKEND'} # with it, no figure is shown
    mine |= dict(JUPYTER_CONFIG_DIR=config, JUPYTER_RUNTIME_DIR=log.parent/'runtime', IPYTHONDIR=log.parent/'ipython')
    command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', '--IdentityProvider.token=', f'--ServerApp.root_dir={folder}',
               f"--ServerApp.port={url.rpartition(':')[2]}", '--expose-app-in-browser']
    with log.open('w') as said:
        server = subprocess.Popen(command, cwd=folder, env=mine, stdout=said, stderr=said)
        try:
            wait_for(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url, server, log, seconds=60):
    "Until it answers"
    end = time.time() + seconds
    while True:
        try: return urllib.request.urlopen(f'{url}/api/status').close()
        except OSError:
            if server.poll() is not None or time.time() > end: pytest.fail(f'JupyterLab did not start:\n{log.read_text()[-2000:]}')
            time.sleep(.2)


NOTEBOOK = 'window.jupyterapp?.shell.currentWidget'
CELLS = f'{NOTEBOOK}.content.widgets.map(o => o.model)'
RAN = f"{CELLS}.filter(o => o.type === 'code' && o.sharedModel.source.trim()).every(o => o.executionCount && o.executionState !== 'running')"
WRONG = f"""{CELLS}.filter(o => o.type === 'code').flatMap(o => o.outputs.toJSON())
         .filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue)"""


def run_all(browser, url, name, seconds):
    "Open the notebook and run all its cells; fail with what they say where one of them fails"
    browser.open(f'{url}/lab/tree/{name}?reset')
    browser.wait(f"{NOTEBOOK}?.context?.isReady && {NOTEBOOK}.sessionContext?.session?.kernel?.status === 'idle'", 90)
    browser.js("window.jupyterapp.commands.execute('notebook:run-all-cells') && 1")
    end = time.time() + seconds
    while not ((wrong := browser.js(WRONG)) or browser.js(RAN)):
        if time.time() > end: pytest.fail(f'{name}: not through after {seconds} s')
        time.sleep(.5)
    if wrong := wrong or browser.js(WRONG): pytest.fail(f'{name}: {wrong}')


SEEN = """arguments[0].closest('.jp-OutputArea-output').innerText
        + [...arguments[0].closest('.jp-OutputArea-output').querySelectorAll('.widget-html')].filter(o => o.checkVisibility()).map(o => o.innerHTML).join('')"""


def move_each_slider(browser):
    "By the keyboard, there and back; gives how many there were"
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    handles = browser.driver.find_elements(By.CSS_SELECTOR, '.jp-OutputArea-output .noUi-handle')
    for handle in handles:
        before = browser.js(SEEN, handle)
        for there, back in ((Keys.ARROW_RIGHT, Keys.ARROW_LEFT), (Keys.ARROW_LEFT, Keys.ARROW_RIGHT)): # one of them is an end, perhaps
            handle.send_keys(there)
            time.sleep(.3)
            changed = browser.js(SEEN, handle) != before
            handle.send_keys(back)
            if changed: break
        assert changed, f"the slider of '{before[:80]}' changes nothing"
    return len(handles)


SETUP = '''import tempfile
import tl_vs_scratch as tlvs
task, asked = tlvs.digits(), dict(size=24, preset='exhaustive', progress=False, sizes=[40])
rivals = tlvs.compare(task, strategies=['plain_svm', 'nearest_neighbour'], seeds=3, out=tempfile.mkdtemp(), **asked)
brief = [tlvs.Strategy(f'last{k}', 'pretrained', (tlvs.Phase(train=k, steps=2),)) for k in (1, 2)]
depths = tlvs.compare(task, strategies=brief, seeds=1, out=tempfile.mkdtemp(), **asked | dict(sizes=[40, 60]))'''

EXPLORERS = dict(lr="tlvs.lr_explorer('convnet')", growing="tlvs.explore('digits')", dice='tlvs.dice_explorer(rivals)',
                 freezing='tlvs.freezing_explorer(depths)', map='tlvs.map_explorer(task, many=20, size=24)')
SLIDERS = dict(lr=2, growing=2, dice=1, freezing=2, map=2)


@pytest.fixture(scope='module')
def window(tmp_path_factory):
    "A JupyterLab with a browser before it: (browser, address, folder)"
    folder = tmp_path_factory.mktemp('lab')
    with lab(folder, tmp_path_factory.mktemp('log')/'lab.log') as url, Browser(1280, 1400) as browser: yield browser, url, folder


def write(path, cells):
    "A notebook with these code cells"
    book = nbformat.v4.new_notebook(metadata=dict(kernelspec=dict(name='python3', display_name='python3', language='python')))
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(book, path)


def test_sliders_change_what_every_explorer_shows(window):
    browser, url, folder = window
    write(folder/'explorers.ipynb', [SETUP, *EXPLORERS.values()])
    run_all(browser, url, 'explorers.ipynb', 240)
    browser.wait(f"document.querySelectorAll('.jp-OutputArea-output .noUi-handle').length === {sum(SLIDERS.values())}", 30)
    assert move_each_slider(browser) == sum(SLIDERS.values())


def test_a_cell_that_fails_is_seen(window):
    browser, url, folder = window
    write(folder/'wrong.ipynb', ['1 + 1', "raise ValueError('this one')"])
    with pytest.raises(pytest.fail.Exception, match='ValueError: this one'): run_all(browser, url, 'wrong.ipynb', 60)


@pytest.mark.chapters
@pytest.mark.parametrize('path', CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_in_jupyterlab(path, window):
    browser, url, folder = window
    book = nbformat.read(path, 4)
    code = [cell for cell in book.cells if cell.cell_type == 'code']
    pictures = sum('image/png' in o.get('data', {}) for cell in code for o in cell.outputs)
    for cell in code: cell.outputs, cell.execution_count = [], None # what is shown comes from here
    nbformat.write(book, folder/path.name)
    run_all(browser, url, path.name, 900)
    assert browser.js("document.querySelectorAll('.jp-OutputArea-output img').length") == pictures > 0
