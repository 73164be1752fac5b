"""Runs notebooks in a real kernel and keeps their outputs; makes README.md from nbs/index.ipynb

    python docs/notebooks.py run [NOTEBOOK ...]
    python docs/notebooks.py readme [--check]

nbdev's own commands for this need the program Quarto, or keep neither widgets nor training tables.
"""

import argparse
import base64
import copy
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from fastcore.ansi import strip_ansi
from fastcore.nbio import cell_frontmatter, does_cell_eval, fm_default_eval, nb_frontmatter, read_nb, write_nb
from fastcore.xtras import fenced
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbdev.clean import clean_nb
from nbformat.v4.rwbase import split_lines

ROOT = Path(__file__).resolve().parent.parent
WIDGET_STATE = 'application/vnd.jupyter.widget-state+json'
WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json'
IMAGES = {'image/png': 'png', 'image/jpeg': 'jpg', 'image/svg+xml': 'svg'}


# ---- run ----

def run_notebook(
    path, # The notebook; its folder is the kernel's working directory
    timeout=600, # Seconds one cell may take
    long=False   # Run cells marked `eval: false`, too?
):
    "Execute the notebook at `path` and save its outputs, cleaned; nothing is saved if a cell fails"
    path = Path(path)
    nb, parsed = nbformat.read(path, as_version=4), read_nb(path)
    default = fm_default_eval(nb_frontmatter(parsed))
    runs = [long or does_cell_eval(cell, default) for cell in parsed.cells]
    nb.metadata.pop('widgets', None)
    part = copy.copy(nb) # shares its cells and metadata with `nb`, so `nb` gets the results
    part.cells = [cell for cell, run in zip(nb.cells, runs) if run]
    client = NotebookClient(part, timeout=timeout, kernel_name='python3', store_widget_state=True, record_timing=False,
                            coalesce_streams=True, extra_arguments=['--log-level=ERROR'],
                            resources={'metadata': {'path': str(path.parent)}})
    # MPLBACKEND=Agg, which tests set, would leave a kernel without its inline pictures; activations of earlier runs would
    # show other seconds than a reader gets
    with tempfile.TemporaryDirectory() as cache:
        client.execute(env={k: v for k, v in os.environ.items() if k != 'MPLBACKEND'} | dict(TLVS_CACHE_DIR=cache))
    write_nb(split_lines(clean(nb)), path)


def clean(nb):
    "`nb` without what differs between two runs that show the same; a cell that says `picture-only` keeps pictures only"
    for cell in nb.cells:
        if '#| picture-only' in cell.source:
            cell.outputs = [out for out in cell.outputs if IMAGES.keys() & out.get('data', {})]
        if 'outputs' in cell: cell.outputs = [_map_text(out, denoise) for out in cell.outputs]
    nb = number_widgets(nb)
    clean_nb(nb)
    return nb


def denoise(text):
    "`text` without process numbers, paths of this machine's packages and temporary folders, and random ids of styled tables"
    text = re.sub(r'[^\s\'"(<]*/ipykernel_\d+/\d+\.py', 'cell.py', text)
    text = re.sub(r'[^\s\'"(<]*/site-packages/', 'site-packages/', text)
    text = re.sub(re.escape(tempfile.gettempdir()) + r'/tmp\w{8}\b', 'a-folder', text)
    styled = dict.fromkeys(re.findall(r'\bT_[0-9a-f]{5}(?=[_"\s])', text))
    for i, name in enumerate(styled): text = text.replace(name, f'T_{i:05x}')
    return text


def _map_text(value, f):
    "`f` on every string in nested lists and dicts, pictures apart"
    if isinstance(value, str): return f(value)
    if isinstance(value, list): return [_map_text(o, f) for o in value]
    if isinstance(value, dict):
        return type(value)({k: o if k in IMAGES else _map_text(o, f) for k, o in value.items()})
    return value


def number_widgets(nb):
    "`nb` with its widgets' random ids replaced by 0, 1, ... in the order of their creation"
    state = nb.metadata.get('widgets', {}).get(WIDGET_STATE, {}).get('state', {})
    for cell in nb.cells: # an output kept from an earlier run may show a widget that is no more
        for out in cell.get('outputs', []):
            if out.get('data', {}).get(WIDGET_VIEW, {}).get('model_id', '') not in ['', *state]: del out.data[WIDGET_VIEW]
    text = json.dumps(nb)
    for i, name in enumerate(state): text = text.replace(name, f'{i:032x}')
    return nbformat.from_dict(json.loads(text))


def find_notebooks(root=None):
    "All notebooks under nbs, in order, without hidden folders"
    folder = (root or ROOT)/'nbs'
    return sorted(o for o in folder.rglob('*.ipynb') if not any(p[0] in '._' for p in o.relative_to(folder).parts))


# ---- readme ----

def readme_files(root):
    "What README.md and its pictures should hold: path -> bytes"
    nb, files = read_nb(root/'nbs/index.ipynb'), {}

    def picture(kind, data, alt):
        name = f'docs/images/readme-{len(files)+1}.{IMAGES[kind]}'
        data = joined(data)
        files[root/name] = data.encode() if kind == 'image/svg+xml' else base64.b64decode(data)
        return f'![{alt}]({name})'

    parts = ['<!-- Made from nbs/index.ipynb by `python docs/notebooks.py readme`: edit the notebook -->']
    for cell in nb.cells: parts += _cell_parts(cell, nb, picture)
    text = '\n\n'.join(o.strip('\n') for o in parts if o.strip()) + '\n'
    return {root/'README.md': text.encode(), **files}


def _cell_parts(cell, nb, picture):
    "The pieces of Markdown that one cell gives"
    says = cell.directives
    source = ''.join(cell._partition()[1]).strip('\n')
    if 'hide' in says or says.get('include') == 'false': return []
    if cell_frontmatter(cell.source):
        about = nb_frontmatter(nb)
        return [f"# {about['title']}" if 'title' in about else '', f"> {about['description']}" if 'description' in about else '']
    if cell.cell_type == 'markdown': return [from_root(source)]
    if cell.cell_type != 'code': return []
    parts = [fenced(source, 'python')] if source and says.get('echo') != 'false' else []
    if says.get('output') == 'false': return parts
    alt = says.get('fig-alt') or says.get('fig-cap') or 'What the code above shows'
    return parts + [_output_part(out, picture, alt.strip('"\'')) for out in cell.get('outputs', [])]


def _output_part(out, picture, alt):
    "One saved output as Markdown: a picture, else Markdown, else plain text; nothing for widgets, bare HTML and stderr"
    if out['output_type'] == 'stream': return fenced(strip_ansi(joined(out['text'])), 'text') if out['name'] == 'stdout' else ''
    data = out.get('data', {})
    if WIDGET_VIEW in data: return ''
    for kind in IMAGES:
        if kind in data: return picture(kind, data[kind], alt)
    if 'text/markdown' in data: return joined(data['text/markdown'])
    text = strip_ansi(joined(data.get('text/plain', '')))
    return '' if not text or re.fullmatch(r'<[\w.]+ object>', text) else fenced(text, 'text')


def joined(text): return text if isinstance(text, str) else ''.join(text)


def from_root(markdown):
    "Links and pictures that are relative to nbs/, made relative to the root; code is left alone"
    def fix(m):
        if m['code'] or re.match(r'[a-z][a-z0-9+.-]*:|[#/]', m['to'], re.I): return m[0]
        return m['pre'] + os.path.normpath(f"nbs/{m['to']}").replace(os.sep, '/')
    return re.sub(r'''(?P<code>```.*?```|`[^`\n]*`)|(?P<pre>\]\(|(?:src|href)=["'])(?P<to>[^)"'\s]+)''', fix, markdown, flags=re.S)


def readme(check=False, root=None):
    "Write README.md and its pictures, or with `check` only list what is not as it would be written"
    root = root or ROOT
    files = readme_files(root)
    stale = [o for o in (root/'docs/images').glob('readme-*') if o not in files]
    changed = [o for o, data in files.items() if not o.exists() or o.read_bytes() != data]
    if not check:
        for path in stale: path.unlink()
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path])
    return [o.relative_to(root).as_posix() for o in changed + stale]


# ---- command ----

def main(args=None):
    parser = argparse.ArgumentParser(prog='docs/notebooks.py', description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='execute notebooks in a real kernel and save their outputs, cleaned')
    run.add_argument('notebooks', nargs='*', type=Path, metavar='NOTEBOOK', help='default: all under nbs/')
    run.add_argument('--timeout', type=int, default=600, help='seconds one cell may take (default: 600)')
    run.add_argument('--long', action='store_true', help='run the cells that are marked eval: false, too')
    make = commands.add_parser('readme', help='make README.md from the saved cells and outputs of nbs/index.ipynb')
    make.add_argument('--check', action='store_true', help='write nothing; exit 1 if README.md is not as it would be written')
    args = parser.parse_args(args)

    if args.command == 'readme':
        changed = readme(check=args.check)
        if args.check and changed:
            sys.exit(f"{', '.join(changed)}: not what nbs/index.ipynb gives; run: python docs/notebooks.py readme")
        print(f"README.md: {'written: ' + ', '.join(changed) if changed else 'up to date'}")
        return
    for path in args.notebooks or find_notebooks():
        start = time.time()
        print(path, end=' ', flush=True)
        try: run_notebook(path, args.timeout, args.long)
        except FileNotFoundError: sys.exit(f'\n{path}: no such notebook')
        except (CellExecutionError, CellTimeoutError) as e:
            sys.exit(f'\n{path}: a cell failed, so nothing was saved\n{strip_ansi(str(e))}')
        print(f'{time.time()-start:.1f} s')


if __name__ == '__main__': main()
