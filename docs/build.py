"""Makes the docs site from the saved notebooks, without running them: python docs/build.py [--out DIR]

A link that leads nowhere, a picture without words and anything else that Sphinx warns of stop it.
"""

import argparse
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
from notebooks import ROOT, find_notebooks
from sphinx.cmd.build import build_main

DOCS = Path(__file__).resolve().parent
ABOUT = ['measured', 'speed', 'glossary', 'credits', 'contributing']


def stage(folder, root=ROOT):
    "Write the site's pages into `folder` as MyST notebooks"
    import translate # imports nbdev, which is slow; `--help` need not wait for it
    moved = {'../CREDITS.md': 'credits.md', '../CONTRIBUTING.md': 'contributing.md'}
    books = {translate.page_name(o.relative_to(root/'nbs')): translate.process(o) for o in find_notebooks(root)}
    names = {k: v for nb in books.values() for k, v in translate.shown_names(nb).items()}
    lookup = translate.fastai_lookup()
    for page, nb in books.items():
        made = translate.translate(nb, names, moved, lookup)
        if page.name == 'index.ipynb':
            made.metadata['hide-toc'] = True
            made.cells.append(nbformat.v4.new_markdown_cell(contents(books), id='contents'))
        (folder/page).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, folder/page)
    for name in moved: shutil.copy(root/Path(name).name, folder/moved[name])


def contents(pages):
    "The hidden tables of contents that fill the side bar"
    inside = lambda folder: [o.with_suffix('').as_posix() for o in pages if o.parts[0] == folder]
    trees = dict(Chapters=inside('tutorials'), Reference=inside('api'), About=ABOUT)
    return '\n\n'.join('\n'.join(['```{toctree}', ':hidden:', f':caption: {title}', '', *names, '```']) for title, names in trees.items())


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
