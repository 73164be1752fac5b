"""Turns notebooks, as nbdev's processors leave them, into what MyST-NB reads

nbdev finds hidden cells and exported names; here its directives become cell tags, each exported name an entry of Sphinx's
Python domain (with its docments as a table), and links follow the pages to their new names. Nothing is executed.
"""

import ast
import inspect
import os
import re
import textwrap
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import FunctionType

import nbformat
from fastcore.docments import docments
from fastcore.nbio import read_nb
from nbdev.config import nbpath2html
from nbdev.doclinks import NbdevLookup
from nbdev.frontmatter import FrontmatterProc
from nbdev.process import NBProcessor
from nbdev.processors import (add_show_docs, clean_magics, filter_stream_, hide_, hide_line, populate_language, rm_header_dash,
                              strip_ansi)
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebooks import IMAGES, WIDGET_VIEW, joined

LIB = 'tl_vs_scratch'
CODE = r'(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|(?<!`)`[^`\n]+`(?!`))' # what is no prose

SHOW = re.compile(r'show_doc\(([\w.]+)\)') # what nbdev puts behind an exported name


def process(path):
    "The notebook at `path` after nbdev's processors: title apart, hidden cells gone, a `show_doc` behind each exported name"
    nb = read_nb(path)
    # Without nbdev's exec_show_docs, which runs every cell that holds an import: entries are made from the modules
    procs = [FrontmatterProc, populate_language, add_show_docs, strip_ansi, hide_line, filter_stream_, rm_header_dash, clean_magics, hide_]
    NBProcessor(nb=nb, procs=procs, rm_directives='quarto').process()
    nb.module = next((f"{LIB}.{o.directives_['default_exp']}" for o in nb.cells if 'default_exp' in o.directives_), None)
    return nb


def page_name(path):
    "Name of a notebook's page: without its number, as nbdev has it"
    return nbpath2html(Path(path)).with_suffix('.ipynb')


# ---- names and their entries ----

def shown_names(nb):
    "The names that the notebook documents: as they are called -> as they are imported"
    names = [m[1] for o in nb.cells if (m := SHOW.match(o.source))]
    for name in names[:]:
        obj = attrgetter(name)(import_module(nb.module))
        if inspect.isclass(obj): names += [f'{name}.{o}' for o in methods(obj)]
    return {o: f'{nb.module}.{o}' for o in names}


def telling_names(shown, top=()):
    "Of what the notebooks show (a dict of `shown_names`), the names that mean one thing on every page: a plain word such as `table` may be an argument"
    found = {}
    for names in shown:
        for k, v in names.items(): found.setdefault(k, []).append(v)
    clear = {k for k, v in found.items() if len(v) == 1 and not re.fullmatch('[a-z]+', k)}
    return {k: v[-1] for k, v in found.items() if k in clear or k.split('.')[0] in top}


def imported_names(nb):
    "What the notebook's code imports from the library: as it is called -> its full name"
    found = {}
    for m in re.finditer(rf'^\s*from ({LIB}\.[\w.]+) import \(?([^)\n]+)', '\n'.join(o.source for o in nb.cells if o.cell_type == 'code'), re.M):
        for name in re.findall(r'\w+', m[2]): found[name] = f'{m[1]}.{name}'
    return found


def methods(cls):
    "Names of what `cls` itself defines, documents and does not hide"
    return [k for k, v in vars(cls).items() if k[0] != '_' and isinstance(v, METHODS) and v.__doc__]


def _arguments(node):
    "The arguments of a function or a class: name -> (type, default), as they are written"
    if isinstance(node, ast.ClassDef):
        init = next((o for o in node.body if isinstance(o, ast.FunctionDef) and o.name == '__init__'), None)
        if init: return _arguments(init)
        if 'dataclass' not in ast.unparse(node.decorator_list): return {}
        value = lambda o: '' if o is None else '...' if isinstance(o, ast.Call) else ast.unparse(o) # a call to dataclasses.field
        return {o.target.id: (ast.unparse(o.annotation), value(o.value)) for o in node.body if isinstance(o, ast.AnnAssign)}
    a = node.args
    plain, found = a.posonlyargs + a.args, {}
    defaults = [None]*(len(plain) - len(a.defaults)) + a.defaults
    for arg, default in zip(plain, defaults): found[arg.arg] = arg, default
    if a.vararg: found['*' + a.vararg.arg] = a.vararg, None
    elif a.kwonlyargs: found['*'] = None, None
    for arg, default in zip(a.kwonlyargs, a.kw_defaults): found[arg.arg] = arg, default
    if a.kwarg: found['**' + a.kwarg.arg] = a.kwarg, None
    text = lambda o: ast.unparse(o) if o else ''
    return {k: (text(getattr(arg, 'annotation', None)), text(default)) for k, (arg, default) in found.items() if k not in ('self', 'cls')}


PROPERTIES = (property, cached_property)
METHODS = (FunctionType, classmethod, staticmethod, *PROPERTIES) # scikit-learn puts other things into a class


def _options(obj):
    "The options of a command, as typer is told of them: name -> (type, what it is)"
    told = {k: v for k, v in getattr(obj, '__annotations__', {}).items() if hasattr(v, '__metadata__')}
    return {k: (getattr(v.__origin__, '__name__', str(v.__origin__)), v.__metadata__[0].help or '') for k, v in told.items()}


def _function(obj):
    "What a property or a class method wraps; anything else as it is"
    return next((getattr(obj, o) for o in ('fget', 'func', '__func__') if hasattr(obj, o)), obj)


def _parse(obj):
    "The syntax tree of the source of a function or class"
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(_function(obj))))).body[0]


def entry(module, name, apart=(), depth=0):
    "An entry of Sphinx's Python domain for one function or class of `module`: signature, what it does, its docments as a table, and its methods but those that are shown `apart`"
    obj = import_module(module)
    for part in name.split('.'): owner, obj = obj, inspect.getattr_static(obj, part)
    node = _parse(obj)
    args = {k: (_options(obj).get(k, (kind,))[0], default) for k, (kind, default) in _arguments(node).items()}
    kind = 'class' if inspect.isclass(obj) else 'function'
    if inspect.isclass(owner): kind = 'property' if isinstance(obj, PROPERTIES) else 'method'
    table = _table(obj, node, args)
    says = lambda k, type, default: k + (f': {type}' if type and not table else '') + (f'={default}' if default else '')
    back = ast.unparse(node.returns) if getattr(node, 'returns', None) else ''
    signature, option = f"({', '.join(says(k, *o) for k, o in args.items())})", []
    if kind == 'property': signature, option = '', [f':type: {back}'] if back else []
    elif back and not table: signature += f' -> {back}'
    fence = ':'*(4 - depth)
    parts = [f'{fence}{{py:{kind}}} {name}{signature}', f':module: {module}', *option, '', inspect.cleandoc(obj.__doc__ or ''), '', *table, '']
    if kind == 'class': parts += [entry(module, f'{name}.{o}', depth=depth + 1) for o in methods(obj) if f'{name}.{o}' not in apart]
    return '\n'.join([*parts, fence, ''])


def _table(obj, node, args):
    "The rows of Markdown that hold the docments of `obj`; none where nothing is said, and then the signature has the types"
    said = {} if isinstance(obj, PROPERTIES) else docments(_function(obj), full=True)
    options = _options(obj)
    def words(name):
        if name in options: return options[name][1]
        text = (said.get(name) or {}).get('docment')
        return text if isinstance(text, str) else ''
    about = {k: words(k.lstrip('*')) for k in args if k != '*'}
    back = words('return') if isinstance(node, ast.FunctionDef) else ''
    if not any(about.values()) and not back: return []
    def written(type, default): return f"`{f'{type} = {default}' if type and default else type or f'= {default}'}`" if type or default else ''
    rows = [(f'``{k}``', written(*args[k]), v) for k, v in about.items()] # two backticks: no link to a namesake
    if back: rows.append(('*gives*', written(ast.unparse(node.returns), '') if node.returns else '', back))
    cell = lambda o: re.sub(r'\s+', ' ', o).replace('|', r'\|')
    return ['| ' + ' | '.join(map(cell, row)) + ' |' for row in (('name', 'type and default', 'what it is'), ['---']*3, *rows)]


# ---- prose ----

def link_names(text, names, lookup=None, modules=()):
    "Names in backticks linked to their entries, `modules` to their pages, names of fastai to its pages; code, headings and links stay as they are"
    def link(m):
        name = m['name'].removeprefix('tlvs.').removeprefix(f'{LIB}.')
        if name in names: return f"{{py:obj}}`{m['name']} <{names[name]}>`"
        if name in modules: return f"[`{m['name']}`]({modules[name]})"
        # a lower-case name is rarely meant as fastai's: it has a `run` and an `image_size`, too
        there = lookup and re.match('[A-Z]|\\w+_learner$', m['name']) and lookup.doc(m['name'])
        return f"[`{m['name']}`]({there})" if there else m[0]
    pattern = r'(?P<skip>^(?P<fence>```+|~~~+).*?^(?P=fence)|^#.*?$|\[[^\]\n]*\]\([^)]*\)|\{[\w:]+\}`[^`]*`)|(?<!`)`(?P<name>[A-Za-z_][\w.]*)(\(\))?`(?!`)'
    return re.sub(pattern, lambda m: m[0] if m['skip'] else link(m), text, flags=re.M | re.S)


def move_links(text, moved, folder=''):
    "Links of a page in `folder` to other notebooks follow them to their new names; `moved` says for what else there is, seen from nbs/, where it is now; code stays as it is"
    def fix(m):
        if m['code']: return m[0]
        to, anchor = m['to'], m['anchor'] or ''
        if '://' not in to and to.endswith('.ipynb'): to = page_name(to).as_posix()
        there = os.path.normpath(f'{folder}/{to}' if folder else to)
        if there in moved: to = os.path.relpath(moved[there], folder or '.')
        return f"]({to}{anchor})"
    return re.sub(CODE + r'|\]\((?P<to>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)', fix, text, flags=re.M | re.S)


def callouts(text):
    "Quarto's callouts as admonitions"
    def fix(m):
        title = re.search(r'title="([^"]*)"', m[2])
        return ':::{admonition} ' + title[1] + f'\n:class: {m[1]}' if title else f':::{{{m[1]}}}'
    return re.sub(r'^:::\s*\{\.callout-(note|tip|warning|important|caution)([^}]*)\}', fix, text, flags=re.M)


# ---- cells ----

def outputs(cell, where):
    "The saved outputs worth showing: no style sheets of progress bars, no second copy, no warnings of a terminal"
    kept = []
    for out in cell.get('outputs', []):
        if out['output_type'] == 'stream':
            if out['name'] == 'stdout': kept.append(out)
            continue
        data = dict(out.get('data', {}))
        html = re.sub(r'(?s)<style.*?</style>', '', joined(data.get('text/html', ''))).strip()
        if 'text/html' in data and not html and not set(IMAGES) & set(data): continue
        if html:
            data.pop('text/markdown', None)
            data['text/html'] = mark_words(joined(data['text/html']))
        if data.keys() == {'text/plain'} and re.fullmatch(r'<[\w.]+ object>', joined(data['text/plain'])): continue
        kept.append({**out, 'data': data})
    if any(set(IMAGES) & set(o.get('data', {})) for o in kept) and not {'fig-cap', 'fig-alt'} & set(cell.directives_):
        raise ValueError(f'{where}: a picture without words; add `#| fig-cap:` or `#| fig-alt:` to the cell\n{cell.source}')
    return kept


def mark_words(html):
    "Tables with class `words` on the columns that hold no numbers, so that they can be set flush left"
    cell = re.compile(r'<(t[dh])([^>]*)>(.*?)</\1>', re.S)
    def in_table(m):
        rows = [list(cell.finditer(o)) for o in re.findall(r'<tr.*?</tr>', m[0], re.S)]
        # counted from the right: cells that span rows stand on the left
        words = {i - len(row) for row in rows for i, o in enumerate(row) if o[1] == 'td' and not re.fullmatch(r'[-+\d.,:%e\s]*', o[3])}
        def in_row(m):
            at = iter(range(-len(cell.findall(m[0])), 0))
            return cell.sub(lambda o: f'<{o[1]}{o[2]} class="words">{o[3]}</{o[1]}>' if next(at) in words else o[0], m[0])
        return re.sub(r'<tr.*?</tr>', in_row, m[0], flags=re.S)
    return re.sub(r'<table.*?</table>', in_table, html, flags=re.S)


def code_cell(cell, where):
    "A code cell with tags for what nbdev's directives say; None where nothing is left of it"
    says = {k: v.strip().strip('\'"') for k, v in cell.directives_.items()}
    source = '\n'.join(o for o in cell.source.splitlines() if not o.startswith('#|')).strip()
    if says.get('include') == 'false' or 'default_exp' in says or 'exporti' in says or not source: return None
    shown = [] if says.get('output') == 'false' else outputs(cell, where)
    metadata = {'mystnb': {}, 'tags': []}
    def fold(word):
        metadata['tags'].append('hide-input')
        metadata['mystnb'].update(code_prompt_show=word, code_prompt_hide=word)
    if says.get('echo') == 'false': metadata['tags'].append('remove-input')
    elif {'export', 'exports'} & says.keys():
        if all(isinstance(o, (ast.Import, ast.ImportFrom)) for o in ast.parse(source).body): return None
        fold('Source')
    elif says.get('code-fold', 'false') != 'false': fold(says.get('code-summary', 'Code'))
    elif not shown and re.search(r'^\s*(assert|test_\w+\()', source, re.M): fold('Tests')
    if 'remove-input' in metadata['tags'] and not shown: return None
    words = says.get('fig-alt') or says.get('fig-cap')
    if words: metadata['mystnb'].update(image=dict(alt=words))
    if 'fig-cap' in says: metadata['mystnb'].update(figure=dict(caption=says['fig-cap']))
    return new_code_cell(source, outputs=nbformat.from_dict(shown), metadata=metadata)


def translate(nb, names=None, moved=None, lookup=None, page='', modules=None, note=''):
    "The page of a processed notebook; `names` are to be linked (see `shown_names`), `moved` as in `move_links`, `modules` lie on these pages; `note` stands below the title"
    folder = Path(page).parent.as_posix()
    near = {k: os.path.relpath(o, folder) for k, o in (modules or {}).items() if Path(o) != Path(page)}
    names, cells, held = names or {}, [], None
    def prose(text): return link_names(move_links(callouts(text), moved or {}, folder), names, lookup, near)
    if 'title' in (about := nb.frontmatter_):
        lead = [f"\n:::{{rst-class}} lead\n{prose(about['description'])}\n:::"] if 'description' in about else []
        below = [f'\n:::{{rst-class}} aside\n{note}\n:::'] if note else []
        cells.append(new_markdown_cell('\n'.join([f"# {about['title']}", *lead, *below])))
    apart = {m[1] for o in nb.cells if (m := SHOW.match(o.source))}
    for cell in nb.cells:
        is_doc = SHOW.match(cell.source)
        if not is_doc:
            if held: cells, held = [*cells, held], None # the source stands behind what it defines
            first = len(cells)
        if is_doc: cells.insert(first, new_markdown_cell(prose(entry(nb.module, is_doc[1], apart)))) # nbdev has a cell's names in reverse
        elif cell.cell_type == 'markdown': cells.append(new_markdown_cell(prose(cell.source)))
        elif cell.cell_type == 'code':
            made = code_cell(cell, nb.path_)
            if {'export', 'exports'} & cell.directives_.keys(): held = made
            elif made: cells.append(made)
    if held: cells.append(held)
    for i, cell in enumerate(cells): cell['id'] = f'cell-{i}'
    metadata = dict(kernelspec=dict(name='python3', display_name='python3', language='python'))
    if any(WIDGET_VIEW in o.get('data', {}) for c in cells for o in c.get('outputs', [])): metadata['widgets'] = nb.metadata['widgets']
    return new_notebook(cells=cells, metadata=metadata)


def fastai_lookup():
    "Where the names of fastai and fastcore are documented"
    return NbdevLookup(strip_libs=('fastai', 'fastcore'), incl_libs=())
