"""Checks of settings that heuristics and oracles have in common. The errors give name, value and what is allowed."""


def check_window(window: int) -> None:
    """Raises ValueError unless ``window``, a number of queries, is at least 1."""
    if window < 1:
        raise ValueError(f"window is {window}, must be at least 1 query")


def check_kernel(kernel: int) -> None:
    """Raises ValueError unless ``kernel``, a number of tokens, is odd and at least 1, so that it is centred on a token."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}, must be odd and at least 1 token")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ValueError unless ``value`` is one of ``allowed``; ``name`` is the setting's, for the message."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, must be one of {', '.join(allowed)}")


def check_layer_count(name: str, layers: int, available: int) -> None:
    """Raises ValueError if the setting ``name`` asks for more layers than the model has."""
    if layers > available:
        raise ValueError(f"{name} is {layers}, must be at most {available}, the number of layers of the model")
