"""A study: one setting of a heuristic at many values, side by side in one pass, so that their rankings share every prompt."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

SETTINGS = ("name", "parameter", "values", "label", "scale", "metric")


def side_by_side(config: DictConfig) -> DictConfig:
    """A copy in which every chosen heuristic that has the study's parameter stands once for each of its values.

    ``heuristic.claa`` becomes ``heuristic.claa_n1``, ``heuristic.claa_n2``, ...; heuristics without the parameter (the
    controls) stay as they are. What is what is written into ``study.points``: name -> heuristic and value. A config
    without a study, or whose study is spelled out already (a run's config.yaml), comes back as it is.

    Raises:
        ValueError: values that are no list of different numbers, or a parameter that no chosen heuristic has.
    """
    study = config.get("study")
    if not study:
        return config
    _check_names(study)
    if "points" in study:
        _check_points(study, config)
        return config
    _check(study, config)
    copy = config.copy()
    OmegaConf.set_struct(copy, False)
    chosen = {str(name): node for name, node in config.heuristic.items()}
    nodes: dict[str, Any] = {}
    points: dict[str, dict[str, Any]] = {}
    for name, node in chosen.items():
        if study.parameter not in node:
            nodes[name] = node
            continue
        for value in study["values"]:
            point = f"{name}_{study.parameter}{value}"
            nodes[point] = {**node, study.parameter: value}
            points[point] = {"heuristic": name, "value": value}
    copy.heuristic, copy.study.points = nodes, points
    return copy


def _check_names(study: DictConfig) -> None:
    lacking = [key for key in SETTINGS if key not in study]
    if lacking:
        raise ValueError(
            f"study lacks {', '.join(lacking)}; configs/experiment/claa_window.yaml shows what it must say"
        )
    unknown = [str(key) for key in study if key not in (*SETTINGS, "points")]
    if unknown:
        raise ValueError(f"study.{unknown[0]} is not a setting; there are {', '.join(SETTINGS)}")


def _check_points(study: DictConfig, config: DictConfig) -> None:
    points: Any = OmegaConf.to_container(study, resolve=True)["points"]  # type: ignore[call-overload,index]
    sound = isinstance(points, dict) and all(
        name in config.heuristic and isinstance(point, dict) and point.keys() == {"heuristic", "value"}
        for name, point in points.items()
    )
    if not points or not sound:
        raise ValueError(
            f"study.points is {points!r}, must map names of chosen heuristics to heuristic and value: leave it out, it follows "
            "from the other settings"
        )


def _check(study: DictConfig, config: DictConfig) -> None:
    values = study["values"]
    if not OmegaConf.is_list(values) or not values or any(type(value) not in (int, float) for value in values):
        raise ValueError(f"study.values is {values!r}, must be a list of numbers, as in study.values=[1,2,4]")
    if len(set(values)) < len(values):
        raise ValueError(f"study.values holds a value twice: {list(values)}")
    if study.scale not in ("linear", "log") or (study.scale == "log" and min(values) <= 0):
        raise ValueError(f"study.scale is {study.scale!r}, must be linear, or log if all values are above 0")
    if study.metric not in config.metric:
        raise ValueError(f"study.metric is {study.metric!r}, must be one of the chosen: {', '.join(config.metric)}")
    if not any(study.parameter in node for node in config.heuristic.values()):
        known = sorted({str(each) for node in config.heuristic.values() for each in node} - {"_target_"})
        raise ValueError(
            f"study.parameter is {study.parameter!r}, must be a setting of a chosen heuristic: {', '.join(known)}"
        )
