"""Who imports whom: reads the modules, says what breaks the rules, and draws the rooms

    python docs/imports.py [--check]

writes docs/images/rooms.svg and the table of rooms in CONTRIBUTING.md. Nothing is imported or run: the modules are parsed,
so that an import inside a function counts as well.
"""

import argparse
import ast
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIB = 'tl_vs_scratch'
WAY = ('tasks', 'networks', 'training', 'studies', 'answers', 'cli') # the way of the data
TOOLS = ('basics', 'fast') # any room may import them, they import no other
ROOMS = (*TOOLS, *WAY)


# ---- reading ----

@dataclass(frozen=True)
class Import:
    "One import of a module of ours by another"
    taker: str # the module that imports, with its full name
    giver: str # the module that is imported
    name: str # what is taken of it; '' where it is the module itself
    bound: str # what it is called in the taker
    line: int


def find_modules(folder, lib=LIB):
    "All modules under `folder`, which holds the package `lib`: full name -> path"
    modules = {}
    for path in sorted((folder/lib).rglob('*.py')):
        if path.name == '_modidx.py': continue
        parts = path.relative_to(folder).with_suffix('').parts
        if parts[-1] == '__init__': parts = parts[:-1]
        modules['.'.join(parts)] = path
    return modules


def room_of(module):
    "The room of a module: the part of its name behind the library's; '' for the library itself"
    return module.partition('.')[2].partition('.')[0]


def find_imports(modules):
    "Every import between `modules` (as `find_modules` gives them), wherever it stands in its module"
    found = []
    for name, path in modules.items():
        for node in ast.walk(parse(path)): found += _imports_in(node, name, path, modules)
    return [o for o in found if o.taker != o.giver]


def parse(path): return ast.parse(path.read_text(encoding='utf-8'), str(path))


def _imports_in(node, taker, path, modules):
    "What one syntax node imports: a list of `Import`"
    if isinstance(node, ast.Import):
        return [Import(taker, o.name, '', o.asname or o.name, node.lineno) for o in node.names if o.name in modules]
    if isinstance(node, ast.ImportFrom):
        base = _base(node, taker, path)
        if base not in modules: return []
        return [_taken(o, base, taker, node.lineno, modules) for o in node.names]
    # import_module('lib.room.module') and the like
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and '.' in node.value and node.value in modules:
        return [Import(taker, node.value, '', '', node.lineno)]
    return []


def _base(node, taker, path):
    "Full name of the module behind `from`, where it is written with dots, too"
    if not node.level: return node.module
    parts = taker.split('.')
    up = node.level - (path.name == '__init__.py')
    return '.'.join([*parts[:len(parts) - up], *([node.module] if node.module else [])])


def _taken(alias, base, taker, line, modules):
    "One name of a `from` import: a module of ours, or something out of one"
    inside = f'{base}.{alias.name}'
    bound = alias.asname or alias.name
    if inside in modules: return Import(taker, inside, '', bound, line)
    return Import(taker, base, alias.name, bound, line)


# ---- rules ----

def may_import(taker, giver):
    "May a module of room `taker` import from room `giver`?"
    if taker == giver: return True
    if taker in TOOLS: return False
    return giver in TOOLS or WAY.index(giver) < WAY.index(taker)


def wrong_ways(modules):
    "Imports that run back, or take the package as a whole: a list of sentences"
    problems = [f'{o}: belongs to no room; the rooms are {", ".join(ROOMS)}' for o in modules if room_of(o) not in ('', *ROOMS)]
    for o in find_imports(modules):
        taker, giver = room_of(o.taker), room_of(o.giver)
        if not taker: continue # the package's front door
        if not giver:
            if not is_dunder(o.name): problems.append(f'{o.taker}:{o.line} imports the whole package')
        elif {taker, giver} <= set(ROOMS) and not may_import(taker, giver):
            problems.append(f'{o.taker}:{o.line} imports {o.giver}: {taker} may not import from {giver}')
    return problems


def circles(modules):
    "Modules of one room that import each other in a circle: a list of sentences"
    givers = {o: set() for o in modules}
    for o in find_imports(modules):
        if room_of(o.taker) == room_of(o.giver) != '': givers[o.taker].add(o.giver)
    done, problems = set(), []
    def visit(module, path):
        if module in path: problems.append(' -> '.join([*path[path.index(module):], module]))
        elif module not in done:
            for o in sorted(givers[module]): visit(o, [*path, module])
        done.add(module)
    for o in modules: visit(o, [])
    return problems


def is_dunder(name): return name.startswith('__') and name.endswith('__')


def is_private(name):
    "`_x`, but not `__init__` and not what Jupyter asks for (`_repr_html_`)"
    return name.startswith('_') and not is_dunder(name) and not re.fullmatch(r'_(repr|ipython)_\w+_', name)


def private_takings(modules):
    "Private names of one module that another imports or reaches, and imports of everything (`*`): a list of sentences"
    imports = find_imports(modules)
    problems = [f'{o.taker}:{o.line} imports everything of {o.giver}' for o in imports if o.name == '*']
    problems += [f'{o.taker}:{o.line} imports {o.giver}.{o.name}' for o in imports if is_private(o.name)]
    trees = {name: parse(path) for name, path in modules.items()}
    own = {name: _private_names(tree) for name, tree in trees.items()}
    owners = {}
    for module, names in own.items():
        for name in names: owners.setdefault(name, module)
    for module, tree in trees.items():
        bound = {o.bound: o.giver for o in imports if o.taker == module and o.bound}
        for line, base, name in _private_reaches(tree):
            owner = bound.get(base) or (owners.get(name) if name not in own[module] else None)
            if owner: problems.append(f'{module}:{line} reaches {base}.{name}, which belongs to {owner}')
    return problems


def _private_names(tree):
    "Private names that a module defines: functions, classes, variables, fields and attributes"
    found = set()
    for o in ast.walk(tree):
        if isinstance(o, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): found.add(o.name)
        elif isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store): found.add(o.id)
        elif isinstance(o, ast.Attribute) and isinstance(o.ctx, ast.Store): found.add(o.attr)
    return {o for o in found if is_private(o)}


def _private_reaches(tree):
    "Where a module asks something for a private attribute: (line, of what, attribute)"
    for o in ast.walk(tree):
        if isinstance(o, ast.Attribute): of, name = o.value, o.attr
        elif isinstance(o, ast.Call) and ast.unparse(o.func) in ('getattr', 'hasattr', 'setattr') and len(o.args) > 1:
            of, name = o.args[0], getattr(o.args[1], 'value', '')
        else: continue
        if isinstance(name, str) and is_private(name): yield o.lineno, ast.unparse(of), name


# ---- what is drawn ----

def rooms(modules):
    "The modules of each room, those first that the others import, with their names inside the room; empty rooms are left out"
    givers = {o: set() for o in modules}
    for o in find_imports(modules):
        if room_of(o.taker) == room_of(o.giver): givers[o.taker].add(o.giver)
    found = {}
    for room in ROOMS:
        inside = [o for o in modules if room_of(o) == room and (o.count('.') > 1 or modules[o].name != '__init__.py')]
        if inside: found[room] = [o.split('.')[-1] for o in _sorted_by_use(inside, givers)]
    return found


def _sorted_by_use(names, givers):
    "`names` so that each stands behind those it imports; what may stand anywhere is in alphabetical order"
    left, found = sorted(names), []
    while left:
        free = next((o for o in left if not givers[o] & set(left) - {o}), left[0])
        left.remove(free)
        found.append(free)
    return found


def uses(modules):
    "Which rooms each room imports from"
    found = {}
    for o in find_imports(modules):
        taker, giver = room_of(o.taker), room_of(o.giver)
        if taker != giver and taker in ROOMS and giver in ROOMS: found.setdefault(taker, set()).add(giver)
    return {taker: [o for o in ROOMS if o in found[taker]] for taker in ROOMS if taker in found}


# ---- drawing ----

WIDTH, LEFT, RIGHT, GAP = 520, 44, 96, 22 # of the drawing, and its margins for the lines
COLORS = dict(basics='#767676', fast='#a0762a', tasks='#0072b2', networks='#b3541e', training='#00805f', studies='#a3548a', answers='#5a6fb0')
STYLE = '''
  .page { fill: #fff } .room { fill: #f3f6f9; stroke: #c5ced6 } .chip { fill: #fff; stroke: #d5dce2 }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1d2730 } .name { font-weight: 600; font-size: 14px }
  .line { fill: none; stroke-width: 1.8 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #131416 } .room { fill: #1e2227; stroke: #3b444d } .chip { fill: #131416; stroke: #3b444d }
    text { fill: #e3e8ec } .line, .head { filter: brightness(1.45) }
  }
'''


def draw(found, used):
    "The drawing of `rooms` and `uses` as SVG: a box a room, and lines that leave a room on its side and end in those that use it"
    boxes, top, body = {}, 8, []
    for room, names in found.items():
        height, parts = _box(room, names, top)
        boxes[room] = top, height
        body += parts
        top += height + GAP
    lines, givers = [], [o for o in found if any(o in givers for givers in used.values())]
    for giver in givers: lines += _lines(giver, [o for o in givers if (o in TOOLS) == (giver in TOOLS)], used, boxes)
    height = top - GAP + 8
    says = '; '.join(f"{taker} imports from {' and '.join(givers)}" for taker, givers in used.items())
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f'<title>The rooms and their modules</title><desc>{escape(says)}</desc>', f'<style>{STYLE}</style>',
        f'<rect class="page" width="{WIDTH}" height="{height}"/>', *lines, *body, '</svg>', ''])


def _box(room, names, top):
    "A room with its modules: its height and its parts"
    x, y, chips = LEFT + 97, top + 8, []
    for name in names:
        width = 16 + 7.5*len(name)
        if x + width > WIDTH - RIGHT - 8: x, y = LEFT + 97, y + 30
        chips.append(f'<rect class="chip" x="{x:.0f}" y="{y}" width="{width:.0f}" height="24" rx="5"/>'
                     f'<text x="{x + width/2:.0f}" y="{y + 16.5}" text-anchor="middle">{escape(name)}</text>')
        x += width + 6
    height = max(y + 32 - top, 52)
    box = f'<rect class="room" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{height}" rx="8"/>'
    return height, [box, f'<text class="name" x="{LEFT + 12}" y="{top + 25}">{escape(room)}</text>', *chips]


def _lines(giver, side, used, boxes):
    "From one room to all that use it: out at the foot of its side, along a lane of its own, into each of them; `side` are all that go out there"
    edge, way = (LEFT, -1) if giver in TOOLS else (WIDTH - RIGHT, 1)
    lane = len(side) - side.index(giver) # who gives first has the outermost lane, so that fewer lines cross
    x, color = edge + way*(6 + 14*lane), COLORS.get(giver, '#767676')
    start, parts = sum(boxes[giver]) - 8, []
    for taker, givers in used.items():
        if giver not in givers: continue
        top, height = boxes[taker]
        here = [o for o in side if o in givers]
        y = top + 6 + (height - 18)*(here.index(giver) + .5)/len(here)
        parts.append(f'<path class="line" stroke="{color}" d="M{edge} {start}H{x}V{y:.1f}H{edge + 5*way}"/>')
        parts.append(f'<path class="head" fill="{color}" d="M{edge} {y:.1f}l{7*way} -4v8z"/>')
    return parts


# ---- table ----

BEGIN, END = '<!-- rooms: made by `python docs/imports.py` -->', '<!-- end of rooms -->'
FOLDER = dict(cli='command') # the folder of notebooks, where it is not called as the room


def about(room, root=ROOT):
    "What a room is for: the line below the title of its first page"
    from fastcore.nbio import read_nb
    path = root/'nbs'/FOLDER.get(room, room)/'index.ipynb'
    if not path.exists(): return ''
    said = re.search(r'^> (.+)$', read_nb(path).cells[0].source, re.M)
    return said[1] if said else ''


def table(found, used, root=ROOT):
    "The same as Markdown, for who can't see the drawing"
    rows = ['| room | what it is for | its modules | it imports from |', '|---|---|---|---|']
    for room, names in found.items():
        page = f'[{room}](nbs/{FOLDER.get(room, room)}/index.ipynb)'
        rows.append(f"| {page} | {about(room, root)} | {', '.join(names)} | {', '.join(used.get(room, [])) or 'no other room'} |")
    return '\n'.join(rows)


def made(root=ROOT):
    "What the drawing and CONTRIBUTING.md should hold: path -> text"
    modules = find_modules(root)
    found, used = rooms(modules), uses(modules)
    guide = root/'CONTRIBUTING.md'
    text = guide.read_text(encoding='utf-8')
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end: raise ValueError(f'{guide} lacks the lines {BEGIN} and {END}, between which the table goes')
    return {root/'docs/images/rooms.svg': draw(found, used),
            guide: f'{before}{BEGIN}\n\n{table(found, used, root)}\n\n{END}{after}'}


def main(args=None):
    parser = argparse.ArgumentParser(prog='docs/imports.py', description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 if drawing or table are not what the code gives')
    check = parser.parse_args(args).check
    modules = find_modules(ROOT)
    for o in wrong_ways(modules) + circles(modules) + private_takings(modules): print(o, file=sys.stderr)
    changed = [path for path, text in made().items() if not path.exists() or path.read_text(encoding='utf-8') != text]
    names = ', '.join(o.relative_to(ROOT).as_posix() for o in changed)
    if check and changed: sys.exit(f'{names}: not what the code gives; run: python docs/imports.py')
    for path, text in made().items():
        if path in changed: path.write_text(text, encoding='utf-8')
    print(f'written: {names}' if changed else 'up to date')


if __name__ == '__main__': main()
