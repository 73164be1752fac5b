"Progress in a real terminal of any width, in a log file, and in a notebook"

import os
import pty
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

CODE = """
import time
from tl_vs_scratch.basics.progress import Progress, say
say('reading photos')
with Progress(3, 'photos', 'trainings', keep=True) as bar:
    for _ in range(3): time.sleep(.25); bar.update()
"""


def in_terminal(columns):
    "What a terminal that says it is so wide shows"
    ours, theirs = pty.openpty()
    import fcntl, struct, termios
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24 if columns else 0, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k != 'COLUMNS'}
    process = subprocess.Popen([sys.executable, '-c', CODE], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown = b''
    try:
        while part := os.read(ours, 4096): shown += part
    except OSError: pass # Linux says so at the end
    os.close(ours)
    assert process.wait(60) == 0, shown.decode()
    return shown.decode()


@pytest.mark.parametrize('columns', [0, 20, 80, 300])
def test_terminal_of_any_width(columns):
    "One line that is written over, then stays; a terminal of no width is treated as one of 80 columns"
    shown = in_terminal(columns)
    assert shown.startswith('reading photos\r\n')
    states = shown.split('\r')
    assert any('photos: 1 of 3 trainings' in o or 'photos: 2 of 3 trainings' in o for o in states), shown
    assert 'photos: 3 of 3 trainings' in shown and shown.count('\n') == 2
    if columns in (0, 80, 300): assert '█' in shown


def test_log_file(tmp_path):
    "Whole lines, and not one per step"
    with open(tmp_path/'log', 'w') as log: subprocess.run([sys.executable, '-c', CODE], stderr=log, check=True)
    text = (tmp_path/'log').read_text()
    assert '\r' not in text and '█' not in text
    assert text.splitlines()[0] == 'reading photos' and text.splitlines()[-1].startswith('photos: 3 of 3 trainings')
    assert len(text.splitlines()) <= 4


def test_notebook(tmp_path):
    "A bar that is updated in place; nothing on stderr, which a notebook shows in red"
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    NotebookClient(nb, kernel_name='python3', resources=dict(metadata=dict(path=str(tmp_path))), extra_arguments=['--log-level=ERROR']).execute()
    outputs = nb.cells[0].outputs
    assert [o.get('name') for o in outputs if o.output_type == 'stream'] == ['stdout']
    bars = [o for o in outputs if o.output_type == 'display_data']
    assert len(bars) == 1 and 'photos: 3 of 3 trainings' in bars[0].data['text/html']
