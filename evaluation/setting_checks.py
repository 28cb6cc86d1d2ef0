"""Checks of settings that several evaluations have; each error names the setting as it is typed."""

from tokenrank.metrics.metric import tokens_kept


def check_percentages(name: str, values: list[float]) -> None:
    """Raises ValueError unless there are percentages, all different, above 0 and at most 100."""
    if not values:
        raise ValueError(f"{name} is empty, must be a list of percentages, as in {name}=[10,20]")
    for value in values:
        if not 0 < value <= 100:
            raise ValueError(f"{name} holds {value:g}, must be above 0 and at most 100 percent")
        tokens_kept(value, 1)
    if len(set(values)) < len(values):
        raise ValueError(f"{name} holds a value twice: {values}")


def check_whole(name: str, value: int, least: int) -> None:
    """Raises ValueError unless the number is at least ``least``."""
    if value < least:
        raise ValueError(f"{name} is {value}, must be a whole number, at least {least}")


def refuse_rankings(save_rankings: bool) -> None:
    """Raises ValueError if rankings are to be saved, which only evaluation=ranking has at every layer."""
    if save_rankings:
        raise ValueError("save_rankings is true, must be false: only evaluation=ranking ranks at every layer")
