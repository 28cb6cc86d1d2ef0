"""One prompt through a model that drops tokens on its way: the mechanism of every pruned prefill.

No model class is patched. Queries and keys are read, and masks replaced, in the registered attention function; dropped tokens are
taken out of the hidden states by ordinary hooks before the decoder layers. Three parts do one job each: FedTokens (which tokens a
layer processes), PositionedCache (what it keeps) and PositionMasks (what a query sees).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import FUSED
from tokenrank.capture.cache import cached_heads, can_go_back
from tokenrank.capture.captured_layer import ModuleCalls, captured_layer
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.fed_tokens import FedTokens
from tokenrank.capture.feeding import check_positions, input_device, last_logits, last_of_rows
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_masks import MaskCheck
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.position_masks import PositionMasks
from tokenrank.capture.positioned_cache import PositionedCache
from tokenrank.capture.rope_lengths import check_answer_position, in_passes, one_by_one, restarts_after
from tokenrank.capture.rules import AttentionRules, layer_number
from tokenrank.capture.stopwatch import Stopwatch


@dataclass(frozen=True)
class Keep:
    """What a visitor keeps at one layer. Tokens are named by their place in the prompt's token list, whatever was dropped before.

    A visitor may drop tokens at several layers, each time some of those that are left. After a drop the AttentionLayer that it is
    given holds only these: token number i of that layer has the place ``onward[i]``, by the ``onward`` that was returned last.
    """

    cached: Tensor | None = None  # (cached heads, kept) int64 places, ascending: of this layer's cache; None: all
    onward: Tensor | None = (
        None  # (kept,) int64 places, ascending, with the last token: for the later layers; None: all that are left
    )
    last: bool = False  # the visitor has all it needs and is not called at later layers


Visit = Callable[[AttentionLayer], Keep]


class PrunedRun:
    """One prompt in a model: a prefill in which a visitor decides what is kept, then decoding, token by token."""

    def __init__(
        self,
        model: PreTrainedModel,
        input_ids: Tensor,
        *,
        answer_tokens: int,
        positions: Tensor | None = None,
        clock: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            model: a decoder of transformers.
            input_ids: (tokens,) int64; at least one.
            answer_tokens: at most so many can be decoded after the prompt.
            positions: (tokens,) int64, ascending, of the tokens; None: 0, 1, 2, ...
            clock: make ``choosing.seconds`` exact on a GPU, which the run then waits for at each visited layer.

        Raises:
            ValueError: an empty prompt, or a model that cannot be watched or accepts no positions.
        """
        model_layers(model)
        check_positions(model)
        self.model, self.device = model, input_device(model)
        self.fed = FedTokens(input_ids.to(self.device), positions)
        self.kept = PositionedCache(model.config, len(input_ids) + answer_tokens)
        self.answer_tokens = answer_tokens
        self.masks = PositionMasks(fused=model.config._attn_implementation == FUSED)
        self.choosing = Stopwatch(self.device, exact=clock)  # seconds spent in the visitor and on what it drops
        self._last_position = self._end = self.fed.all_positions[-1:]  # of what was fed, and of the prompt
        self._read = int(self._last_position) + 1 if restarts_after(model) is not None else 0

    @torch.inference_mode()
    def prefill(self, visit: Visit | None = None, needs: Needs = NOTHING) -> Tensor:
        """Reads the prompt.

        Args:
            visit: called at each attention layer, in order, until it returns ``Keep(last=True)``; None: everything is kept.
            needs: what the visitor reads of a layer beyond queries and keys.

        Returns:
            (vocabulary,) logits of the first answer token.

        Raises:
            ValueError: the visitor keeps a token that it dropped at an earlier layer.
        """
        calls, asking, masks = ModuleCalls(), visit is not None, MaskCheck(self.model)

        def seen(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules) -> None:
            nonlocal asking
            call = calls.take(module, value)
            if not self.fed.gaps:  # with gaps the masks are ours
                masks.add(layer_number(module), query, key, rules)
            self.kept.add(layer_number(module), self.fed.positions, rules.sliding_window)
            if visit is None or not asking:
                return
            with self.choosing:
                positions = self.fed.positions if self.fed.gaps else None
                keep = visit(
                    captured_layer(
                        self.fed.ids, module, query, key, value, rules, needs=needs, call=call, positions=positions
                    )
                )
                self._apply(keep, layer_number(module))
            asking = not keep.last

        def mask_by(_module: nn.Module, query: Tensor, _key: Tensor, rules: AttentionRules) -> Tensor | None:
            if not self.fed.gaps:
                return rules.mask  # the model's own
            return self.masks.of_prompt(query, self.fed.positions, rules.sliding_window)

        ids, positions, cache = self.fed.all_ids, self.fed.all_positions, self.kept.cache
        with self.feeding(), calls.recorded(self.model, needs):
            logits = last_logits(self.model, ids, positions, cache, on_attention=seen, mask_by=mask_by)
        masks.finish()
        return logits

    def decode(self, token: int, position: int) -> Tensor:
        """Feeds one token of the answer at its position; returns the (vocabulary,) logits of the next.

        Raises:
            ValueError: as ``feed``.
        """
        return self.feed(torch.tensor([token]), position)[0]

    @torch.inference_mode()
    def feed(self, ids: Tensor, position: int) -> Tensor:
        """Feeds the next tokens of the answer.

        They go through the model together, but one by one where a layer holds a state of all tokens together, and in the passes
        of ``in_passes`` where rotary frequencies depend on the length: the logits are those of decoding.

        Args:
            ids: (tokens,) int64; at least one.
            position: of the first; the others follow it.

        Returns:
            (tokens, vocabulary) logits of the token after each.

        Raises:
            ValueError: no tokens, there is no room for them, or they cannot be followed (``check_answer_position``).
        """
        parts = self._parts(ids, position)
        self.kept.mark()
        return torch.cat([self._pass(part, start, len(part)) for part, start in parts])

    @torch.inference_mode()
    def read_on(self, ids: Tensor, position: int) -> Tensor:
        """Reads further tokens of the prompt, which every layer processes and keeps; ``feed`` and ``back`` go on after them.

        Call it once at most, before an answer is fed: the tokens take room of the answer's.

        Args:
            ids: (tokens,) int64; at least one.
            position: of the first; the others follow it.

        Returns:
            (vocabulary,) logits of the first answer token.

        Raises:
            ValueError: as ``feed``.
        """
        for part, start in self._parts(ids, position):
            logits = self._pass(part, start, 1)
        self._end = self._last_position
        self._read = position + len(ids) if self._read else 0
        return logits[0]

    def back(self) -> None:
        """Forgets the answer's tokens: the cache is as the prompt left it, and an answer can be fed anew."""
        self.kept.back()
        self._last_position = self._end

    def _parts(self, ids: Tensor, position: int) -> list[tuple[Tensor, int]]:
        """Tokens that follow what was read, in passes, (ids on the device, position of the first); ValueError as ``feed``."""
        if len(ids) == 0:
            raise ValueError("there are no tokens to be fed, must be at least one")
        check_answer_position(self.model, self._read, position + len(ids) - 1)
        together = can_go_back(self.kept.cache)
        parts = in_passes(self.model, ids, position) if together else one_by_one(ids, position)
        return [(part.to(self.device), start) for part, start in parts]

    def _pass(self, ids: Tensor, position: int, last: int) -> Tensor:
        """One forward pass over tokens that follow what was read; (last, vocabulary) logits after the last of them."""
        now = torch.arange(position, position + len(ids), device=self.device)

        def seen(module: nn.Module, _query: Tensor, _key: Tensor, _value: Tensor, rules: AttentionRules) -> None:
            self.kept.add(layer_number(module), now, rules.sliding_window)

        def mask_by(module: nn.Module, query: Tensor, key: Tensor, rules: AttentionRules) -> Tensor | None:
            held = self.kept.positions(layer_number(module))
            held = None if held is None else held[None]
            return self.masks.of_answer(query, key, now[None], held, rules.sliding_window)

        self._last_position = now[-1:]
        watchers = {"on_attention": seen, "mask_by": mask_by}
        return last_of_rows(self.model, ids[None], now[None], self.kept.cache, last, **watchers)[0]

    def feeding(self) -> AbstractContextManager[None]:
        """Within the block the model reads the prompt, and each decoder layer is given only the tokens that it is to process."""
        return self.fed.fed_to(decoder_layers(self.model), self._dropped)

    def cached_heads(self, layer: int) -> int:
        """Heads of a layer's cache, for the visitor that is called at this layer: its key heads, or 1 with latent attention (MLA)."""
        return cached_heads(self.kept.cache, layer)

    def kv_bytes(self) -> int:
        """Bytes of keys and values held; of a windowed layer only those that the next token can still see."""
        return self.kept.nbytes(self._last_position)

    def _apply(self, keep: Keep, layer: int) -> None:
        """Does what the visitor decided at a layer."""
        if keep.cached is not None:
            self.kept.keep(layer, self.fed.rows(keep.cached), self.fed.positions)
        if keep.onward is not None:
            self.fed.drop_all_but(keep.onward)

    def _dropped(self, tokens: int) -> None:
        self.kept.reserve_less(tokens)
        self.masks.forget()
