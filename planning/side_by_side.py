"""Study: one setting of a heuristic at several values, ranked in one pass over the same prompts."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.tasks.task import check_id

TEXTS = ("name", "parameter", "label", "scale", "metric")


def side_by_side(config: DictConfig) -> DictConfig:
    """A copy in which every chosen heuristic that has the study's parameter appears once for each of its values.

    ``heuristic.claa`` becomes ``heuristic.claa_n1``, ``heuristic.claa_n2``, ...; heuristics without the parameter (the
    controls) stay as they are. ``study.points`` maps each new name to its heuristic and value. A config
    without a study, or whose study is spelled out already (a run's config.yaml), comes back as it is.

    Raises:
        ValueError: a setting that is unknown or of the wrong type, values that are no list of different numbers, a parameter that no chosen heuristic has, or a point that gets the
            name of another heuristic.
    """
    study = config.get("study")
    if not study:
        return config
    _check(study, config)
    if study.get("points"):
        return config
    _check_values(study, config)
    copy = config.copy()
    OmegaConf.set_struct(copy, False)
    chosen = {str(name): node for name, node in config.heuristic.items()}
    nodes: dict[str, Any] = {}
    points: dict[str, dict[str, Any]] = {}
    for name, node in chosen.items():
        if not _has(node, study.parameter):
            if name in nodes:
                raise _taken(name)
            nodes[name] = node
            continue
        for value in study["values"]:
            point = f"{name}_{study.parameter}{value}"
            if point in nodes:
                raise _taken(point)
            nodes[point] = {**node, study.parameter: value}
            points[point] = {"heuristic": name, "value": value}
    copy.heuristic, copy.study.points = nodes, points
    return copy


def _taken(name: str) -> ValueError:
    return ValueError(
        f"heuristic.{name} has the name that the study gives to one of its points: call it something else"
    )


def _has(node: Any, parameter: str) -> bool:
    return OmegaConf.is_dict(node) and parameter in node


def _check(study: DictConfig, config: DictConfig) -> None:
    """Raises ValueError for settings that are missing, unknown or of the wrong type, and for points that are none."""
    lacking = [key for key in (*TEXTS, "values") if key not in study]
    if lacking:
        raise ValueError(
            f"study lacks {', '.join(lacking)}; configs/experiment/claa_window.yaml shows what it must say"
        )
    for key in map(str, study):
        if key not in (*TEXTS, "values", "points"):
            raise ValueError(f"study.{key} is not a setting; there are {', '.join((*TEXTS, 'values'))}")
    for key in TEXTS:
        if not isinstance(study[key], str):
            raise ValueError(f"study.{key} is {study[key]!r}, must be of type str")
    check_id("study.name", study.name)  # pictures are called by it
    points = study.get("points")
    if points is None:
        return
    if not OmegaConf.is_dict(points) or not all(OmegaConf.is_dict(each) for each in points.values()):
        raise ValueError(f"study.points is {points!r}, must be left out: the values make the points")
    for name, point in points.items():
        if name not in config.heuristic or set(point) != {"heuristic", "value"}:
            raise ValueError(f"study.points.{name} is {point!r}, must be heuristic and value of a chosen heuristic")


def _check_values(study: DictConfig, config: DictConfig) -> None:
    """Raises ValueError for values that are no list of different numbers, or that no chosen heuristic or metric can take."""
    values = study["values"]
    if not OmegaConf.is_list(values) or not values or any(type(value) not in (int, float) for value in values):
        raise ValueError(f"study.values is {values!r}, must be a list of numbers, as in study.values=[1,2,4]")
    if len(set(values)) < len(values):
        raise ValueError(f"study.values holds a value twice: {list(values)}")
    if study.scale not in ("linear", "log") or (study.scale == "log" and min(values) <= 0):
        raise ValueError(f"study.scale is {study.scale!r}, must be linear, or log if all values are above 0")
    if study.metric not in config.metric:
        raise ValueError(f"study.metric is {study.metric!r}, must be one of the chosen: {', '.join(config.metric)}")
    nodes = [node for node in config.heuristic.values() if OmegaConf.is_dict(node)]
    if study.parameter == "_target_" or not any(_has(node, study.parameter) for node in nodes):
        known = sorted({str(each) for node in nodes for each in node} - {"_target_"})
        raise ValueError(
            f"study.parameter is {study.parameter!r}, must be a setting of a chosen heuristic: {', '.join(known)}"
        )
