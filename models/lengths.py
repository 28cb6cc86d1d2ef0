"""How many tokens a model reads, prompt and answer together."""

import sys
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

from tokenrank.capture.position_tables import position_table
from tokenrank.capture.rope_lengths import rope_parameters

NO_LIMIT = sys.maxsize
SETTING = "model.max_tokens"
NAMES = ("max_position_embeddings", "max_seq_len", "max_target_positions", "n_ctx", "max_sequence_length", "seq_length")
UNLIMITED = ("bloom", "falcon_mamba", "mamba", "mamba2", "recurrent_gemma", "rwkv", "xlstm")  # ALiBi, or states only
SCALED = ("linear", "dynamic", "yarn", "longrope")  # rope types whose factor is that of the length


def readable_tokens(config: PreTrainedConfig, what: str, setting: str = SETTING) -> int:
    """The tokens that a model of this config was made for.

    They are ``max_position_embeddings``, or what the config calls it; where rotary scaling of all layers goes beyond, the
    original length times the factor: ``original_max_position_embeddings`` where the parameters name it, as those of yarn and
    longrope do, else ``max_position_embeddings``, which then holds the original (linear and dynamic scaling).

    Args:
        config: of a model or of its decoder.
        what: the model, for messages.
        setting: what to set instead, for messages.

    Returns:
        At least 1; NO_LIMIT for an architecture that has none.

    Raises:
        ValueError: the config names no length, though the architecture has one.
    """
    text = config.get_text_config(decoder=True)
    given = {name: getattr(text, name, None) for name in NAMES}
    positions = next((each for each in given.values() if type(each) is int and each > 0), None)
    if positions is None:
        if text.model_type in UNLIMITED:
            return NO_LIMIT
        raise ValueError(
            f"the config of {what} does not say how many tokens the model reads (max_position_embeddings is "
            f"{given[NAMES[0]]!r}): set {setting}"
        )
    scaled = [_scaled(positions, each) for _, each in rope_parameters(config)]
    return min(scaled, default=positions)


def check_asked(tokens: int | None, setting: str = SETTING) -> None:
    """Raises ValueError unless a setting of tokens is None or at least 1."""
    if tokens is not None and (type(tokens) is not int or tokens < 1):
        raise ValueError(f"{setting} is {tokens!r}, must be null or at least 1 token")


def check_table(model: PreTrainedModel, tokens: int, setting: str = SETTING) -> None:
    """Raises ValueError if the model has a table of positions, learned or computed once, with fewer rows than tokens.

    Args:
        model: loaded or without weights.
        tokens: that it is to read.
        setting: that says so, for messages.
    """
    table = position_table(model)
    if table is not None and tokens > table[1]:
        raise ValueError(
            f"{setting} is {tokens}, must be at most {table[1]}: {type(model).__name__} has a table of so many positions ({table[0]})"
        )


def _scaled(positions: int, parameters: dict[str, Any]) -> int:
    kind, factor = parameters.get("rope_type"), parameters.get("factor")
    if kind not in SCALED or not isinstance(factor, int | float) or factor <= 1:
        return positions
    original = None if kind == "dynamic" else parameters.get("original_max_position_embeddings")
    return max(positions, int((original or positions) * factor))
