"""Scorers of kvpress in a config: each of ``press`` becomes a heuristic of its own, named by its class."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

KVPRESS = "kvpress"  # the heuristic's config, and the first part of the names of its rows


def each_press(config: DictConfig) -> DictConfig:
    """A copy in which ``heuristic.kvpress`` appears once for each of its presses.

    With ``press=[SnapKVPress,my_pkg.MyPress]`` there are ``heuristic.kvpress_SnapKVPress`` and ``heuristic.kvpress_MyPress``,
    with the other settings of ``heuristic.kvpress``. A config without it, or a run's config.yaml, comes back as it is.

    Raises:
        ValueError: there are presses and no kvpress; the list is empty or holds something that is no name, or two presses would get one name.
    """
    if config.get("press") is not None and not any(str(name).startswith(KVPRESS) for name in config.heuristic):
        raise ValueError(f"press is {config.press}, must be null unless kvpress is chosen: heuristic=kvpress")
    chosen = config.heuristic.get(KVPRESS)
    presses = chosen.get("press") if OmegaConf.is_dict(chosen) else None
    if presses is None:
        return config
    names = OmegaConf.to_container(presses) if OmegaConf.is_list(presses) else [presses]
    copy = config.copy()
    OmegaConf.set_struct(copy, False)
    nodes: dict[str, Any] = {}
    for name, node in _nodes(config.heuristic, names):
        if name in nodes:
            raise ValueError(f"press is {names}, which gives two heuristics the name {name}: choose one of them")
        nodes[name] = node
    copy.heuristic = nodes
    return copy


def _nodes(heuristics: DictConfig, presses: Any) -> Iterator[tuple[str, Any]]:
    """The heuristics in their order, with one for each press in the place of kvpress."""
    if not presses or not all(isinstance(press, str) for press in presses):
        raise ValueError(f"press is {presses}, must be names of scorers, as in press=[SnapKVPress,my_pkg.MyPress]")
    for name, node in heuristics.items():
        if name != KVPRESS:
            yield str(name), node
            continue
        for press in presses:
            yield f"{KVPRESS}_{press.rpartition('.')[2]}", {**node, "press": press}


def config_name(heuristic: str) -> str:
    """The config that a row's heuristic comes from: ``kvpress`` for each of its presses, else its own name.

    >>> config_name("kvpress_SnapKVPress")
    'kvpress'
    """
    return KVPRESS if heuristic.startswith(f"{KVPRESS}_") else heuristic
