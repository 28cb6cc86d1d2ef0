"""How what a prompt costs grows with its length, from two prompts: a power of the tokens for time, a straight line for bytes."""

import math
from collections.abc import Callable, Sequence

Points = Sequence[tuple[int, float]]  # (tokens of a prompt, its cost); one or two
MOST = 2.0  # the exponent of attention over a whole prompt


def power_law(points: Points) -> tuple[Callable[[int], float], float]:
    """Cost = k x tokens^p, p between 0 (a fixed cost) and 2, through the points; p = 1 where they have one length.

    Two prompts do not determine a + b x tokens + c x tokens^2. A power lies close to it between the two and, unlike a straight
    line, is never negative beyond them.

    Returns:
        the cost of a prompt of so many tokens, and p.

    >>> power_law([(100, 2.0), (400, 32.0)])[0](200)
    8.0
    """
    (x1, y1), (x2, y2) = points[0], points[-1]
    known = x1 != x2 and y1 > 0 and y2 > 0
    p = min(max(math.log(y2 / y1) / math.log(x2 / x1), 0.0), MOST) if known else 1.0
    k = sum(y / x**p for x, y in points) / len(points)
    return lambda tokens: k * tokens**p, p


def straight_line(points: Points) -> Callable[[int], float]:
    """Cost = a + b x tokens through the points, at least 0; their mean where they have one length.

    >>> straight_line([(100, 10.0), (200, 16.0)])(300)
    22.0
    """
    (x1, y1), (x2, y2) = points[0], points[-1]
    if x1 == x2:
        return lambda _: sum(y for _, y in points) / len(points)
    return lambda tokens: max(0.0, y1 + (y2 - y1) * (tokens - x1) / (x2 - x1))


def bounds(points: Points, tokens: int) -> tuple[float, float]:
    """What so many tokens cost if each costs what it does in the cheaper, and in the dearer, of the prompts.

    >>> bounds([(100, 1.0), (200, 4.0)], 1000)
    (10.0, 20.0)
    """
    each = [y / x for x, y in points]
    return tokens * min(each), tokens * max(each)
