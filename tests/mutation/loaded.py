"""Faults in modules that are loaded already, or that are loaded anew with the fault in them."""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from scripts.tracked import ROOT
from tests.mutation.mutants import Mutant

_OURS = ("tmws", "tests")
_Place = tuple[str, str, int]


class Loaded:
    """The functions of some files as they stand in memory, whoever holds them."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Find the functions; later ones are not known."""
        self._original = {path: _bodies(path, (ROOT / path).read_text("utf-8")) for path in paths}
        self._functions: defaultdict[_Place, list[FunctionType]] = defaultdict(list)
        files = {str(ROOT / path) for path in self._original}
        for each in gc.get_objects():
            if type(each) is FunctionType and each.__code__.co_filename in files:
                self._functions[_place(each.__code__)].append(each)

    def swap(self, mutant: Mutant) -> bool:
        """Put a fault into the function that holds it; False where it is in none.

        What was made when the module was loaded, a constant or a default, stays as it was.
        """
        original, mutated = self._original[mutant.path], _bodies(mutant.path, mutant.content)
        changed = [place for place in original if original[place] != mutated.get(place)]
        if len(changed) != 1 or changed[0] not in self._functions:
            return False
        for function in self._functions[changed[0]]:
            function.__code__ = mutated[changed[0]]
        return True


def load_anew(mutant: Mutant) -> None:
    """Forget all our modules, so that the next import finds the fault."""
    for name in [each for each in sys.modules if each.split(".")[0] in _OURS]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(mutant))


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name = ".".join(Path(mutant.path).with_suffix("").parts[1:])
        self._file = str(ROOT / mutant.path)
        self._content = mutant.content

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module with the fault comes from."""
        del path, target  # every finder is told them; a name is enough here
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._file, self._content)
        return spec_from_file_location(fullname, self._file, loader=loader)


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, content: str) -> None:
        super().__init__(fullname, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """Return the module with the fault in it; what was compiled before is passed by."""
        del fullname  # there is one for each module
        return compile(self._content, self.path, "exec", dont_inherit=True)


def _bodies(path: str, content: str) -> dict[_Place, CodeType]:
    """Return the functions that stand in no other function, each with all that is in it."""
    found = {}
    waiting = [compile(content, str(ROOT / path), "exec", dont_inherit=True)]
    while waiting:
        for each in waiting.pop().co_consts:
            if isinstance(each, CodeType):
                if each.co_flags & CO_OPTIMIZED:
                    found[_place(each)] = each
                else:
                    waiting.append(each)  # the body of a class
    return found


def _place(code: CodeType) -> _Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno
