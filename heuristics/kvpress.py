"""Adapter to the scorers of NVIDIA's kvpress package, which is imported only if one is chosen."""

import difflib
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.heuristic import Heuristic

# scorers that need more than one ordinary forward pass offers, and what that is; see docs/kvpress.md
REFUSED = {
    "ObservedAttentionPress": "the whole attention matrix of eager attention",
    "ExpectedAttentionStatsPress": "statistics of the model from the hub",
    "QFilterPress": "filters of the model from the hub",
    "KVzapPress": "a trained predictor from the hub",
    "ScorerPress": "a score of its own: it is abstract",
    "CriticalKVPress": "another press to wrap",
}


@dataclass(frozen=True)
class KVPress(Heuristic):
    """The press's own ``score``, mean over key heads.

    Presses give some tokens (the last window, the first ones) a value above all others, and so they do here. Importing
    kvpress wraps every attention function that is registered with transformers, in the whole process.

    Source: https://github.com/NVIDIA/kvpress (0.5.5; Apache-2.0).
    """

    press: str | None = None  # a scorer class of kvpress, such as SnapKVPress, or a dotted path such as my_pkg.MyPress
    options: dict[str, Any] | None = None  # its settings, by kvpress's names; None: its own

    def __post_init__(self) -> None:
        if self.press is None:
            raise ValueError("press is null, must name a scorer of kvpress, as in press=SnapKVPress")
        name = self.press.removeprefix("kvpress.")
        if name in REFUSED:
            raise ValueError(f"press is {self.press!r}, which needs {REFUSED[name]}")

    @property
    def needs(self) -> Needs:
        """The call of the model's own attention module."""
        return Needs(call=True)

    def check(self, tokenizer: Tokenizer, answer: str) -> None:  # noqa: ARG002
        """Raises ValueError if kvpress is not installed, there is no such scorer, or the scorer refuses its options."""
        _ = self._scorer

    def identity(self) -> Mapping[str, Any]:
        """Version of kvpress, null if it is not installed as a package; of a scorer from outside, SHA-256 of its source file too."""
        try:
            found: dict[str, Any] = {"kvpress": version("kvpress")}
        except PackageNotFoundError:
            found = {"kvpress": None}
        if "." in str(self.press).removeprefix("kvpress."):
            source = Path(inspect.getfile(type(self._scorer))).read_bytes()
            found["press_sha256"] = hashlib.sha256(source).hexdigest()
        return found

    def attach(self, model: PreTrainedModel) -> None:
        """Lets the press set itself up. Presses expect a rotary embedding on each attention module; those without get the model's."""
        try:
            self._scorer.post_init_from_model(model)
        except Exception as error:  # the press's own code may raise anything
            raise ValueError(f"press {self.press} cannot be set up for this model: {error}") from error
        rotary = getattr(model.base_model, "rotary_emb", None)
        for module in model.modules():
            if rotary is not None and hasattr(module, "layer_idx") and not hasattr(module, "rotary_emb"):
                module.rotary_emb = rotary

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), on the press's own scale."""
        if layer.call is None:
            raise ValueError(f"layer {layer.index} was captured without its module's call, which kvpress reads")
        call = layer.call
        scores: Tensor = self._scorer.score(
            call.module, call.hidden_states, layer.keys[None], call.values, None, call.arguments
        )  # (1, kv_heads, tokens)
        return scores[0].float().mean(dim=0)

    @cached_property
    def _scorer(self) -> Any:
        try:
            kvpress = import_module("kvpress")
        except ImportError as error:
            raise ValueError(f"kvpress cannot be imported ({error}): docs/kvpress.md says how to install it") from error
        scorer = _from_outside(str(self.press)) if "." in str(self.press) else self._of_the_package(kvpress)
        if not isinstance(scorer, type) or not issubclass(scorer, kvpress.ScorerPress):
            raise ValueError(f"press is {self.press!r}, must be a subclass of kvpress.ScorerPress")
        try:
            return scorer(**(self.options or {}))
        except (TypeError, AssertionError) as error:
            raise ValueError(f"press {self.press} refuses options={self.options}: {error}") from error

    def _of_the_package(self, kvpress: Any) -> Any:
        """The scorer of that name; raises ValueError if kvpress has none."""
        scorers = {
            name: each
            for name, each in vars(kvpress).items()
            if isinstance(each, type) and issubclass(each, kvpress.ScorerPress) and name not in REFUSED
        }
        if self.press not in scorers:
            nearest = difflib.get_close_matches(str(self.press), scorers, n=3, cutoff=0.3)
            guess = f"did you mean {' or '.join(nearest)}? " if nearest else ""
            raise ValueError(f"press is {self.press!r}; {guess}kvpress has {', '.join(sorted(scorers))}")
        return scorers[self.press]


def _from_outside(path: str) -> Any:
    """What a dotted path names; raises ValueError if it cannot be imported, whatever its module raises."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        raise ValueError(f"press is {path!r}, which cannot be imported: {error}") from error
