"""Lists and counts in sentences."""


def listed(parts: list[str]) -> str:
    """The parts with commas and ``and``.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def count(number: int, what: str) -> str:
    """``1 prompt`` or ``2 prompts``."""
    return f"{number} {what}{'s' * (number != 1)}"
