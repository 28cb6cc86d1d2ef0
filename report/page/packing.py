"""How report.html holds its data: small, and unable to end the element that it stands in."""

import base64
import hashlib
import json
import math
import zlib
from typing import Any

import pandas as pd

DIGITS = 9  # significant digits of a number in the page; tables show three decimals of it


def packed(content: bytes) -> str:
    """Bytes as deflate in base64, which the page reads with ``DecompressionStream``."""
    return base64.b64encode(zlib.compress(content, 6)).decode("ascii")  # 9 takes three times as long for 0.4 % less


def packed_json(content: Any) -> str:
    """A JSON value as ``packed`` bytes; lone surrogates of a text stay what they are."""
    return packed(json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii"))


def embedded_json(content: Any) -> str:
    r"""A JSON value that may stand in a script element: it holds neither ``<`` nor a character beyond ASCII.

    >>> embedded_json({"text": "</script><!--"})
    '{"text":"\\u003c/script>\\u003c!--"}'
    """
    written = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return written.replace("<", "\\u003c")


def number(value: Any) -> float | None:
    """A number in ``DIGITS`` significant digits; None where there is none.

    >>> number(float("nan")), number(1 / 3)
    (None, 0.333333333)
    """
    if pd.isna(value) or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.{DIGITS}g}")


def numbers(values: Any) -> list[float | None]:
    """Each as ``number``."""
    return [number(value) for value in values]


def digest(text: str) -> str:
    """The source expression that allows an inline script or style in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
