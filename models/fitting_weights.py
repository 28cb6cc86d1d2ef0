"""Whether the weights of a checkpoint are those that its config describes: what is left over, or has another shape."""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig

log = logging.getLogger("tokenrank")

CONSTANTS = re.compile(  # what older versions of transformers saved, and newer ones compute
    r"(^|[._])(inv_freq|position_ids|cos_cached|sin_cached|causal_mask)$|(^|\.)(attn|attention)\.(masked_)?bias$"
)
OTHER_PARTS = re.compile(  # of checkpoints for more than text, and heads that predict several tokens: generation does not use them
    r"(^|\.)(mtp\w*|\w*(vision|visual|image|audio|speech|video)\w*|multi_modal\w*|mm_\w+|talker|token2wav|code2wav)\."
)
LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.(\d+)\.")


def check_weights_fit(report: Mapping[str, Any], config: PreTrainedConfig, path: str) -> None:
    """Refuses weights that the model lacks, has no place for or holds in another shape.

    Left over and accepted are constants that older checkpoints hold, towers for images or sound, and layers that predict
    several tokens at once; the last two are named in the log.

    Args:
        report: the loading info of ``from_pretrained``.
        config: of the model.
        path: for messages.

    Raises:
        ValueError: the weights are not those of the config; the message names one.
    """
    lost = f"the model {path!r} cannot be loaded: "
    if report["missing_keys"]:  # transformers would fill the gap with random numbers
        raise ValueError(f"{lost}it lacks {min(report['missing_keys'])}")
    if report["mismatched_keys"]:
        name, found, wanted = min(report["mismatched_keys"])
        raise ValueError(f"{lost}{name} has the shape {tuple(found)}, its config asks for {tuple(wanted)}")
    left = sorted(name for name in report["unexpected_keys"] if not CONSTANTS.search(name))
    unused = {name: part for name in left if (part := _other_part(name, config)) is not None}
    strange = [name for name in left if name not in unused]
    if strange:
        more = f" and {len(strange) - 1} more tensors" if len(strange) > 1 else ""
        layers = getattr(config.get_text_config(), "num_hidden_layers", None)
        raise ValueError(
            f"{lost}its weights hold {strange[0]}{more}, for which its config (num_hidden_layers {layers}) has no place"
        )
    if unused:
        parts = ", ".join(f"{part} ({count} tensors)" for part, count in Counter(unused.values()).items())
        log.info("of the weights of %s these are not used: %s", path, parts)


def _other_part(name: str, config: PreTrainedConfig) -> str | None:
    """The part that a weight belongs to, if it is none that generation uses."""
    found = OTHER_PARTS.search(name)
    if found is not None:
        return found.group(2)
    text: Any = config.get_text_config()
    layer, first = LAYER.search(name), getattr(text, "num_hidden_layers", None)
    more = getattr(text, "num_nextn_predict_layers", None) or 0
    if layer is not None and first is not None and first <= int(layer.group(3)) < first + more:
        return f"layer {layer.group(3)}"
    return None
