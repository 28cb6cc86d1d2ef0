"""From a config node to the object it describes, with errors that name the setting."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf


def build(node: DictConfig, name: str) -> Any:
    """The object that a config node describes.

    Args:
        node: with a ``_target_``.
        name: where the node is in the config, for messages: ``model``, ``heuristic.claa``.

    Raises:
        ValueError: the class refuses a value, a field has a value of the wrong type, or there is no such class or field.
    """
    if "_target_" not in node:
        raise ValueError(f"{name} has no _target_, which must name its class")
    try:
        _check_types(get_object(node["_target_"]), OmegaConf.to_container(node, resolve=True), name)
        return instantiate(node, _convert_="all")
    except (InstantiationException, ImportError) as error:
        raise ValueError(f"{name}: {error.__cause__ or error}") from error


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Puts the name of a setting in front of the ValueErrors that come out of the block."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def build_all(config: DictConfig, group: str) -> dict[str, Any]:
    """The objects of a group by name, built leaf by leaf.

    Raises:
        ValueError: the group is empty, or as for ``build``.
    """
    built = {str(name): build(node, f"{group}.{name}") for name, node in (config.get(group) or {}).items()}
    if not built:
        raise ValueError(f"{group} chooses nothing: give at least one, as in {group}=[a,b]")
    return built


def _check_types(target: Any, settings: Any, name: str) -> None:
    """Raises ValueError for a setting that has another type than the field of the dataclass that it is for."""
    hints = get_type_hints(target) if dataclasses.is_dataclass(target) else {}
    for setting, value in settings.items():
        hint = hints.get(setting)
        if not _fits(value, hint):
            wanted = str(getattr(hint, "__name__", hint)).replace("None", "null")
            raise ValueError(f"{name}.{setting} is {value!r}, must be of type {wanted}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value out of a YAML file fits a type hint; hints that no YAML value has (functions) always do."""
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(each, get_args(hint)[0]) for each in value)
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, bool, str, NoneType):
        return type(value) is hint
    return True
