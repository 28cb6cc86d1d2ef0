"""Where tokenrank keeps what it made once for all runs of a user: converted models, and the store."""

import os
from pathlib import Path

CACHE_VARIABLE = "TOKENRANK_CACHE"


def cache_folder() -> Path:
    """``$TOKENRANK_CACHE``, else ``tokenrank`` in the user's cache folder.

    Raises:
        ValueError: neither the variable nor the home directory is known.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "tokenrank"
    except RuntimeError as error:
        raise ValueError(f"the home directory is not known ({error}): set {CACHE_VARIABLE} to a folder") from None


def default_store() -> Path:
    """The folder of the store where a run names none: ``store`` in the cache folder.

    Raises:
        ValueError: the cache folder is not known.
    """
    return cache_folder() / "store"
