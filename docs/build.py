"""Makes the docs site from the saved notebooks, without running them: python docs/build.py [--out DIR]

A link that leads nowhere, a picture without words and anything else that Sphinx warns of stop it.
"""

import argparse
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
from notebooks import ROOT, find_notebooks
from sphinx.cmd.build import build_main

DOCS = Path(__file__).resolve().parent
REFERENCE = ('tasks', 'networks', 'training', 'studies', 'answers', 'command') # folders of notebooks, as the data goes through them
INTERNALS = ('fast', 'basics')
ABOUT = ['atlas', 'findings', 'measured', 'speed', 'clusters', 'safety', 'trust', 'glossary', 'credits', 'contributing']
MOVED = {'../CREDITS.md': 'credits.md', '../CONTRIBUTING.md': 'contributing.md'} # pages that lie elsewhere, seen from nbs/
INTERNAL = 'Internals: no chapter needs this page, and the main modules can be read without it.'


def stage(folder, root=ROOT):
    "Write the site's pages into `folder` as MyST notebooks"
    import tl_vs_scratch as tlvs
    import translate # imports nbdev, which is slow; `--help` need not wait for it
    books = {translate.page_name(o.relative_to(root/'nbs')): translate.process(o) for o in find_notebooks(root)}
    own = {page: translate.shown_names(nb) for page, nb in books.items()}
    names, entries = translate.telling_names(own.values(), tlvs.__all__), {o for found in own.values() for o in found.values()}
    kw = dict(moved=MOVED, lookup=translate.fastai_lookup(), modules=pages_of_modules(books))
    for page, nb in books.items():
        note = INTERNAL if page.parts[0] in INTERNALS else ''
        imported = {k: v for k, v in translate.imported_names(nb).items() if v in entries}
        made = translate.translate(nb, names | imported | own[page], page=page, note=note, **kw)
        if page.name == 'index.ipynb': made.cells.append(nbformat.v4.new_markdown_cell(contents(page, books), id='contents'))
        if page.as_posix() == 'index.ipynb': made.metadata['hide-toc'] = True
        (folder/page).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, folder/page)
    for path, name in MOVED.items(): stage_text(root/'nbs'/path, folder/name, root)


def pages_of_modules(books):
    "Where modules and rooms are explained, by their names without the library's: `tasks.task` -> tasks/task.ipynb"
    import translate
    found = {page.parts[0]: page for page in books if len(page.parts) > 1 and page.name == 'index.ipynb'}
    found |= {nb.module.removeprefix(f'{translate.LIB}.'): page for page, nb in books.items() if nb.module}
    return found


def stage_text(source, page, root):
    "Copy a page of Markdown: links to notebooks lead to their pages, and the drawings it shows come with it"
    import translate
    text = source.read_text(encoding='utf-8')
    for path in re.findall(r'!\[[^\]]*\]\(([^):]+)\)', text):
        (page.parent/path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root/path, page.parent/path)
    page.write_text(translate.move_links(text.replace('](nbs/', ']('), {}), encoding='utf-8')


def contents(page, pages):
    "Hidden tables of contents for the side bar: of a room its notebooks, of the front page the chapters and rooms"
    inside = lambda folder: [o.with_suffix('') for o in pages if o.parts[0] == folder]
    index = lambda folder: [o for o in inside(folder) if o.name == 'index'] or inside(folder)
    if len(page.parts) > 1: return toctree([o.name for o in inside(page.parts[0]) if o.name != 'index'])
    trees = dict(Chapters=inside('tutorials'), Reference=sum(map(index, REFERENCE), []), Internals=sum(map(index, INTERNALS), []))
    trees = {title: [o.as_posix() for o in found] for title, found in trees.items()}
    return '\n\n'.join(toctree(found, title) for title, found in {**trees, 'About': ABOUT}.items() if found)


def toctree(names, title=''):
    "A hidden table of contents in MyST's words"
    return '\n'.join(['```{toctree}', ':hidden:', *([f':caption: {title}'] if title else []), '', *names, '```'])


def build(out, root=ROOT):
    "Build the site into `out`; gives Sphinx's exit status"
    if out.exists() and any(out.iterdir()):
        if not (out/'searchindex.js').exists(): sys.exit(f'{out} holds something that is no site of ours; name another folder with --out')
        shutil.rmtree(out)
    with tempfile.TemporaryDirectory() as pages:
        stage(Path(pages), root)
        return build_main(['-q', '-W', '--keep-going', '-b', 'html', '-c', str(DOCS), '-d', f'{pages}/.doctrees', pages, str(out)])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(prog='docs/build.py', description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=ROOT/'_docs', metavar='DIR', help='where the site goes (default: _docs)')
    warnings.filterwarnings('ignore', category=DeprecationWarning)
    out = parser.parse_args().out
    status = build(out)
    if not status: print(f'{out/"index.html"}: open it in a browser')
    sys.exit(status)
