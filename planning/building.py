"""Builds the object that a config node describes; errors name the setting."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

Bases = type | tuple[type, ...]


def build(node: Any, name: str, base: Bases) -> Any:
    """The object that a config node describes.

    A target is imported, and called only if it is a subclass of the group's base: a config cannot call arbitrary functions. Functions
    inside a node (the formulas of a metric) are never called here, as they must be partial.

    Args:
        node: a mapping with a ``_target_``.
        name: where the node is in the config, for messages: ``model``, ``heuristic.claa``.
        base: what the target must be a subclass of; one class or several.

    Raises:
        ValueError: the node is no mapping, its target is missing, unknown or no such class, the class refuses a value, or a field
            is unknown or has a value of the wrong type.
    """
    if not OmegaConf.is_dict(node):
        raise ValueError(f"{name} is {node!r}, must be a mapping with a _target_: choose one of the files in configs/")
    if "_target_" not in node:
        raise ValueError(f"{name} has no _target_, which must name its class")
    settings: Any = OmegaConf.to_container(node, resolve=True)
    try:
        target = get_object(str(settings["_target_"]))
    except Exception as error:  # importing a module can raise anything
        raise ValueError(f"{name}._target_ is {settings['_target_']!r}, which cannot be imported: {error}") from error
    _check_target(target, name, base)
    _check_special(settings, name)
    if dataclasses.is_dataclass(target):
        _check_known({field.name for field in dataclasses.fields(target) if field.init} | {"_target_"}, settings, name)
    _check_types(target, settings, name)
    try:
        return instantiate(node, _convert_="all")
    except (InstantiationException, ImportError) as error:
        said = str(error.__cause__ or error)
        raise ValueError(said if said.startswith(f"{name}.") else f"{name}: {said}") from error


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Prefixes the ValueErrors of the block with the name of a setting."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def build_all(config: DictConfig, group: str, base: Bases) -> dict[str, Any]:
    """The objects of a group by name, built one by one.

    Raises:
        ValueError: the group is empty or no mapping, or as for ``build``.
    """
    nodes = config.get(group)
    if nodes is not None and not OmegaConf.is_dict(nodes):
        raise ValueError(f"{group} is {nodes!r}, must be a name or a list of names, as in {group}=[a,b]")
    if not nodes:
        raise ValueError(f"{group} chooses nothing: give at least one, as in {group}=[a,b]")
    for name in nodes:
        check_printable(f"a name in {group}", str(name))
    return {str(name): build(node, f"{group}.{name}", base) for name, node in nodes.items()}


def check_printable(what: str, name: str) -> None:
    """Raises ValueError if a name that terminals, pictures and tables show holds control characters or others that are not printable."""
    if not name.isprintable():
        raise ValueError(f"{what} is {name!r}, must hold printable characters alone")


def check_settings(kind: type, settings: Any, name: str) -> None:
    """Raises ValueError unless a mapping has exactly the fields of a dataclass, each with a value of its type.

    Args:
        kind: the dataclass.
        settings: a mapping out of a config.
        name: where it is in the config; empty for its top.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f"{name} is {settings!r}, must be a mapping")
    known = {field.name for field in dataclasses.fields(kind)}
    prefix = f"{name}." if name else ""
    _check_known(known, settings, name)
    for field in dataclasses.fields(kind):
        if field.name not in settings:
            raise ValueError(f"{prefix}{field.name} is missing")
    _check_types(kind, settings, name)


def _check_target(target: Any, name: str, base: Bases) -> None:
    bases = base if isinstance(base, tuple) else (base,)
    if not isinstance(target, type) or not issubclass(target, bases):
        wanted = " or ".join(f"{each.__module__}.{each.__qualname__}" for each in bases)
        raise ValueError(f"{name}._target_ is {target!r}, must be a subclass of {wanted}")


def _check_known(known: set[str], settings: Mapping[str, Any], name: str) -> None:
    for setting in settings:
        if setting not in known:
            there = ", ".join(sorted(known - {"_target_"})) or "none"
            raise ValueError(f"{name}.{setting} is not a setting; there are {there}".removeprefix("."))


def _check_special(settings: Any, name: str, *, inside: bool = False) -> None:
    """Raises ValueError for Hydra's own keys where they have no effect, and for inner targets that would be called at once."""
    if isinstance(settings, list):
        for each in settings:
            _check_special(each, name, inside=True)
    if not isinstance(settings, dict):
        return
    allowed = {"_target_", "_partial_"} if inside else {"_target_"}
    for key, value in settings.items():
        if str(key).startswith("_") and key not in allowed:
            raise ValueError(f"{name}.{key} is not a setting")
        if key not in allowed:
            _check_special(value, f"{name}.{key}", inside=True)
    if inside and "_target_" in settings and settings.get("_partial_") is not True:
        raise ValueError(
            f"{name} has a _target_, so it must also say _partial_: true (a function is called later, not here)"
        )


def _check_types(target: Any, settings: Any, name: str) -> None:
    """Raises ValueError for a setting that has another type than the field of the dataclass that it is for."""
    hints = get_type_hints(target) if dataclasses.is_dataclass(target) else {}
    prefix = f"{name}." if name else ""
    for setting, value in settings.items():
        hint = hints.get(setting)
        if not _fits(value, hint):
            raise ValueError(f"{prefix}{setting} is {value!r}, must be {_described(hint)}")


def _described(hint: Any) -> str:
    """``of type int or null``, ``a list of whole numbers, as in [1,2]``."""
    if get_origin(hint) is list:
        kinds = {int: "whole numbers, as in [1,2]", float: "numbers, as in [1,2.5]", str: "names, as in [a,b]"}
        return f"a list of {kinds.get(get_args(hint)[0], str(hint))}"
    if isinstance(hint, UnionType):
        return " or ".join(map(_described, get_args(hint)))
    if get_origin(hint) is dict:
        return "a mapping"
    return "null" if hint is NoneType else f"of type {getattr(hint, '__name__', hint)}"


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value out of a YAML file fits a type hint; other hints (functions, for example) are not checked."""
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(each, get_args(hint)[0]) for each in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict)
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, bool, str, NoneType):
        return type(value) is hint
    return True
