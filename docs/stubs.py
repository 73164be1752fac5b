"""Writes tl_vs_scratch/__init__.pyi, what editors and type checkers know of the public names: python docs/stubs.py [--check]

The names are looked up at first use and some methods come from notebooks of other rooms (`@patch`), which no type checker sees. So the package is
asked, as it is when it runs.
"""

import argparse
import ast
import inspect
import sys
import textwrap
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import tl_vs_scratch as tlvs

STUB = Path(tlvs.__file__).with_name('__init__.pyi')
SPECIAL = '__init__', '__enter__', '__exit__', '__iter__', '__len__', '__call__', '__getitem__', '__contains__'
HEAD = '"What editors and type checkers know of the public names. Written by docs/stubs.py; do not edit."\n'


class Stub:
    "What is in the file; `imports` grows as types are named"
    def __init__(self, names):
        self.names, self.imports = names, set()
        self.own = {id(o) for o in names.values()}

    def named(self, kind)->str:
        "A type as the stub calls it"
        if kind is None or kind is type(None): return 'None'
        if isinstance(kind, types.UnionType): return ' | '.join(map(self.named, kind.__args__))
        if isinstance(kind, types.GenericAlias): return f"{kind.__origin__.__name__}[{', '.join(map(self.named, kind.__args__))}]"
        if isinstance(kind, str): return kind if kind in self.names else 'Any'
        if not isinstance(kind, type): return 'Any'
        if kind.__module__ == 'builtins' or id(kind) in self.own: return kind.__name__
        public = kind.__module__.partition('._')[0] # Python 3.13 has Path in pathlib._local
        self.imports.add((public, kind.__qualname__))
        return kind.__qualname__

    def annotation(self, before, kind): return '' if kind is inspect.Parameter.empty else f'{before}{self.named(kind)}'

    def parameter(self, p)->str:
        "With its type, and whether it may be left out"
        stars = {p.VAR_POSITIONAL: '*', p.VAR_KEYWORD: '**'}.get(p.kind, '')
        kind = p.annotation
        if p.default is None and isinstance(kind, type) and kind is not p.empty: kind = kind | None
        return stars + p.name + self.annotation(': ', kind) + ('' if p.default is p.empty else ' = ...')

    def function(self, name, function, indent='')->str:
        "Its signature and the first line of what it says of itself"
        sig = inspect.signature(function)
        given, star = [], False
        for p in sig.parameters.values():
            if p.kind is p.KEYWORD_ONLY and not star: given.append('*')
            star = star or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
            given.append(self.parameter(p))
        back = ' -> None' if name == '__init__' else self.annotation(' -> ', sig.return_annotation)
        return f"{indent}def {name}({', '.join(given)}){back}:{said(function, indent) or ' ...'}"

    def members(self, cls):
        "Lines of what a class has of its own, patched methods too"
        if is_dataclass(cls):
            for f in fields(cls):
                given = f.default is not MISSING or f.default_factory is not MISSING
                yield f'    {f.name}: {self.named(f.type)}' + (' = ...' if given else '')
        yield from (f'    {name}: Any' for name in set_by_methods(cls) if not hasattr(cls, name))
        for name, o in vars(cls).items():
            if name.startswith('_') and name not in SPECIAL or (name == '__init__' and is_dataclass(cls)): continue
            if isinstance(o, (classmethod, staticmethod)):
                yield f'    @{type(o).__name__}'
                yield self.function(name, o.__func__, '    ')
            elif isinstance(o, property) or hasattr(o, 'attrname'): # a cached one
                yield '    @property'
                yield self.function(name, getattr(o, 'fget', None) or o.func, '    ')
            elif inspect.isfunction(o): yield self.function(name, o, '    ')

    def cls(self, name, cls)->str:
        "A class with its members"
        bases = [self.named(o) for o in cls.__bases__ if o is not object]
        frozen = is_dataclass(cls) and cls.__dataclass_params__
        head = [f"@dataclass(frozen={frozen.frozen}, kw_only={any(f.kw_only for f in fields(cls))})"] if frozen else []
        head.append(f"class {name}{'(' + ', '.join(bases) + ')' if bases else ''}:{said(cls)}")
        members = list(self.members(cls))
        if not members and not said(cls): head[-1] += ' ...'
        return '\n'.join([*head, *members])

    def entry(self, name, o)->str:
        "Of one public name"
        if inspect.isclass(o): return self.cls(name, o) if o.__name__ == name else f'{name} = {o.__name__}'
        if callable(o): return self.function(name, o)
        return f'{name}: {type(o).__name__}'

    def text(self)->str:
        "The whole file"
        entries = [self.entry(name, o) for name, o in self.names.items()]
        imports = [f'from {module} import {name}' for module, name in sorted(self.imports)]
        head = [HEAD, 'from dataclasses import dataclass', 'from typing import Any', *imports, '', '__version__: str']
        return '\n'.join(head) + '\n\n' + '\n\n'.join(entries) + '\n'


def set_by_methods(cls)->dict:
    "Names of `self.NAME = ...`, in order"
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    return {o.attr: None for o in ast.walk(tree) if isinstance(o, ast.Attribute) and isinstance(o.ctx, ast.Store)
            and isinstance(o.value, ast.Name) and o.value.id == 'self' and not o.attr.startswith('_')}


def said(o, indent='')->str:
    "The first line of a docstring, as one on a line of its own"
    line = (vars(o).get('__doc__') if inspect.isclass(o) else o.__doc__ or '') or ''
    line = line.strip().partition('\n')[0].replace('\\', '').replace('"', "'")
    return f'\n{indent}    "{line}"' if line else ''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; fail where the file is not what this would write')
    args = parser.parse_args()
    text = Stub({name: getattr(tlvs, name) for name in tlvs.__all__}).text()
    if not args.check: STUB.write_text(text, encoding='utf-8')
    elif not STUB.is_file() or STUB.read_text(encoding='utf-8') != text: sys.exit('__init__.pyi is not up to date: run python docs/stubs.py')


if __name__ == '__main__': main()
