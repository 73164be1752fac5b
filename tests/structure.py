"""What a test can measure of the house's structure: long lines, density, words that belong elsewhere, heavy imports

Who imports whom is read by docs/imports.py, which draws it, too.
"""

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median


def exported(folder):
    "The modules under `folder` that come from notebooks"
    return [o for o in sorted(Path(folder).rglob('*.py')) if o.name not in ('_modidx.py', '__init__.py')]


# ---- lines and density ----

def long_lines(paths, most=120):
    "Lines of more than `most` characters: a list of sentences"
    problems = []
    for path in paths:
        text = re.sub(r'^__all__ = \[.*?\]', blank, path.read_text(encoding='utf-8'), flags=re.M | re.S) # nbdev breaks its lines
        for i, line in enumerate(text.splitlines(), 1):
            if len(line) > most: problems.append(f'{path.parent.name}/{path.name}:{i} has {len(line)} characters')
    return problems


def blank(match): return '\n'*match[0].count('\n')


def named_in_vain(folder, *places):
    "Imports and variables that nobody uses, and names that nobody made, by ruff's rules of the letter F: a list of sentences"
    order = [sys.executable, '-m', 'ruff', 'check', '--isolated', '--no-cache', '--quiet', '--select=F', '--output-format=concise', *places]
    done = subprocess.run(order, cwd=folder, capture_output=True, text=True)
    if done.stderr: raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


@dataclass(frozen=True)
class Density:
    "How much happens in how little space"
    lines: int # of code: no blank ones, comments or docstrings
    per_line: float # syntax nodes a line of code
    median: float # syntax nodes of the function in the middle
    large: float # share of functions with more than `LARGE` syntax nodes
    largest: tuple # the ten largest functions: (nodes, 'module.py:line name')

    def __str__(self):
        largest = ''.join(f'\n  {nodes:>5} {where}' for nodes, where in self.largest)
        return (f'{self.lines} lines of code, {self.per_line:.2f} syntax nodes a line; the function in the middle has {self.median:.0f}, '
                f'{self.large:.1%} have more than {LARGE}; the largest:{largest}')


LARGE = 150


def density(paths):
    "The `Density` of some modules"
    nodes, lines, functions = 0, 0, []
    for path in paths:
        text = path.read_text(encoding='utf-8')
        tree = ast.parse(text)
        nodes += count(tree)
        lines += len(code_lines(text, tree))
        for o in ast.walk(tree):
            if isinstance(o, (ast.FunctionDef, ast.AsyncFunctionDef)): functions.append((count(o), f'{path.name}:{o.lineno} {o.name}'))
    functions.sort(reverse=True)
    sizes = [size for size, _ in functions] or [0]
    large = sum(o > LARGE for o in sizes)/len(sizes)
    return Density(lines, nodes/max(lines, 1), median(sizes), large, tuple(functions[:10]))


def count(node): return sum(1 for _ in ast.walk(node))


def code_lines(text, tree):
    "Numbers of the lines that hold code"
    said = set()
    for o in ast.walk(tree):
        if isinstance(o, ast.Expr) and isinstance(o.value, ast.Constant) and isinstance(o.value.value, str):
            said.update(range(o.lineno, o.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return {i for i, line in lines if line.strip() and not line.strip().startswith('#')} - said


# ---- words ----

PICTURES = re.compile('pictur|pixel|channel|crop|image', re.I)


def words_of_pictures(paths):
    "Where modules that serve any medium speak of pictures: a list of sentences"
    problems = []
    for path in paths:
        for i, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            if PICTURES.search(line): problems.append(f'{path.parent.name}/{path.name}:{i} {line.strip()[:90]}')
    return problems


NO_TEXT = [r'\{#.*?#\}', r'<!--.*?-->', r'/\*.*?\*/', # comments
           r'\b(class|id|href|for)="[^"]*"', # names of classes and parts
           r'</?picture\b', # HTML's own name for a drawing in several widths
           r'[^{};]*(?=\{[^{%])'] # what a style sheet's rule is about


def template_words(text, css=False):
    "Where a template's text speaks of pictures, whatever its classes and parts are called: a list of sentences"
    for pattern in NO_TEXT[:-1] if not css else NO_TEXT:
        text = re.sub(pattern, blank, text, flags=re.S)
    lines = enumerate(text.splitlines(), 1)
    return [f'line {i}: {line.strip()[:90]}' for i, line in lines if re.search('pictur|pixel', line, re.I)]


# ---- imports that weigh ----

def heavy_imports(modules, heavy, folder='.'):
    "Import `modules` one after the other in a process of its own: those after which one of the `heavy` packages is there -> which"
    code = f'''
import importlib, json, sys
heavy, found = {sorted(heavy)!r}, {{}}
for name in {list(modules)!r}:
    importlib.import_module(name)
    found[name] = [o for o in heavy if o in sys.modules]
    heavy = [o for o in heavy if o not in sys.modules]
print(json.dumps(found))
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=folder)
    if done.returncode: raise ImportError(done.stderr)
    return {name: found for name, found in json.loads(done.stdout.splitlines()[-1]).items() if found}
