"""Digest of the source files that a part of a run depends on."""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

PACKAGE = __name__.partition(".")[0]


def source_digest(modules: Iterable[str]) -> str:
    """SHA-256 of the source files of these modules and of all that they import, directly or not.

    Counted are the modules of this package and those of the user; not those of Python and of installed packages, whose versions
    stand in keys. An import inside a function counts too, one for type checkers alone does not.

    Args:
        modules: dotted names.
    """
    total = hashlib.sha256()
    for name, file in sorted(_closure(frozenset(modules)).items()):
        total.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()


def modules_of(node: Any) -> set[str]:
    """Modules of all targets in a part of a config.

    >>> sorted(modules_of({"_target_": "my.own.Class", "measure": {"_target_": "other.function", "_partial_": True}}))
    ['my.own', 'other']
    """
    if isinstance(node, DictConfig):
        node = OmegaConf.to_container(node, resolve=True)
    if isinstance(node, dict):
        own = {str(node["_target_"]).rpartition(".")[0]} if "_target_" in node else set()
        return own.union(*map(modules_of, node.values()))
    return set().union(*map(modules_of, node)) if isinstance(node, list) else set()


@cache
def _closure(modules: frozenset[str]) -> dict[str, Path]:
    """Name -> file, of the modules and what they import."""
    found: dict[str, Path] = {}
    left = list(modules)
    while left:
        name = left.pop()
        file = None if name in found else _file(name)
        if file is not None:
            found[name] = file
            left += _imported(name, file)
    return found


@cache
def _file(name: str) -> Path | None:
    """The source file of a module that counts; None for all others, and for what is no module."""
    try:
        spec = find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin)
    return file if name.partition(".")[0] == PACKAGE or not _installed(file) else None


def _installed(file: Path) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    paths = sysconfig.get_paths()
    places = {Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {Path(each).resolve() for each in sys.path if each.endswith(("site-packages", "dist-packages"))}
    return any(place in file.resolve().parents for place in places)


@cache
def _imported(name: str, file: Path) -> tuple[str, ...]:
    """Names that a module imports; some may be no modules."""
    return tuple(dict.fromkeys(_names(ast.parse(file.read_bytes()), name, file.name == "__init__.py")))


def _names(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            base = parents[: len(parents) - node.level + is_package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{each.name}" for each in node.names)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, without what stands under ``if TYPE_CHECKING``."""
    yield node
    only_types = isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
    for child in node.orelse if isinstance(node, ast.If) and only_types else ast.iter_child_nodes(node):
        yield from _run(child)
