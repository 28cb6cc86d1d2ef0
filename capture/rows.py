"""Several pruned runs in one forward pass: the weights are read once, and each row attends to its own cache at its own positions."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.attention import FUSED, OwnFunction
from tokenrank.capture.cache import can_go_back
from tokenrank.capture.feeding import last_of_rows
from tokenrank.capture.heap import trim_heap
from tokenrank.capture.position_masks import PositionMasks
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.row_blocks import Fed, RowsLayer, blocks_of
from tokenrank.capture.rules import AttentionRules, layer_number

LOGITS_BYTES = 2**26  # of the logits of one pass in ``logits_of``


class Rows:
    """Several prompts that were read by one model; their answers are fed together. A row is named by its place in ``runs``."""

    @torch.inference_mode()
    def __init__(self, runs: Sequence[PrunedRun], positions: Sequence[int]) -> None:
        """Takes the caches over, layer by layer; the runs are empty afterwards.

        Args:
            runs: at least one, each after its prefill, of one model for which ``can_run_together`` is true.
            positions: of the first token that each is fed.

        Raises:
            ValueError: no runs, runs of several models, another number of positions than of runs, or a cache with a state of all
                tokens together.
        """
        self.model = _only_model(runs, positions)
        caches = [run.kept for run in runs]
        layers = range(len(caches[0].cache.layers))
        held = [[cache.cache.get_seq_length(layer) for layer in reversed(layers)] for cache in caches]
        self._order = sorted(range(len(runs)), key=lambda row: held[row])  # rows that hold equally many are neighbours
        self._fed = Fed(torch.tensor(positions, dtype=torch.int64, device=runs[0].device))
        self._masks = PositionMasks(fused=self.model.config._attn_implementation == FUSED)
        self._layers: list[RowsLayer] = []
        rooms = []
        for layer in layers:
            blocks, room = blocks_of(caches, self._order, layer)
            trim_heap()  # what the runs held of this layer
            self._layers.append(RowsLayer(blocks, self._fed))
            rooms.append(room)
        self.room = min(rooms)  # tokens that can be fed to each row
        self._cache = Cache(layers=list(self._layers))
        self.active = list(range(len(runs)))  # rows that are fed, ascending
        self._ids: list[list[int]] = [[] for _ in runs]  # what each row was fed

    def feed(self, ids: Tensor) -> Tensor:
        """Feeds the next tokens of every active row, in one forward pass.

        Args:
            ids: (active rows, tokens) int64, in the order of ``active``; at least one token.

        Returns:
            (active rows, tokens, vocabulary) logits of the token after each.

        Raises:
            ValueError: ``ids`` has another shape, or there is no room for so many tokens.
        """
        if ids.dim() != 2 or len(ids) != len(self.active) or ids.numel() == 0:
            raise ValueError(
                f"ids has the shape {tuple(ids.shape)}, must be (rows, tokens) with the {len(self.active)} active rows and at least one token"
            )
        place = {row: at for at, row in enumerate(self.active)}
        rows = [row for row in self._order if row in place]
        sorting = torch.tensor([place[row] for row in rows])
        logits = self._pass(rows, ids[sorting.to(ids.device)])
        self._fed.before += ids.shape[1]
        return logits[sorting.argsort().to(logits.device)]

    def logits_of(self, ids: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Feeds every active row the same tokens; in passes of a few rows where the logits are large.

        The rows count as not fed afterwards: what is fed next replaces these tokens, unless ``resume`` goes on after some of them.

        Args:
            ids: (tokens,) int64; at least one.

        Yields:
            Each active row once, in any order, and its (tokens, vocabulary) logits of the token after each; use them before the next.

        Raises:
            ValueError: no tokens, or there is no room for so many.
        """
        if ids.dim() != 1 or len(ids) == 0:
            raise ValueError(f"ids has the shape {tuple(ids.shape)}, must be (tokens,) with at least one token")
        vocabulary: int = self.model.config.get_text_config(decoder=True).vocab_size
        size = max(1, LOGITS_BYTES // (len(ids) * vocabulary * 4))
        rows = [row for row in self._order if row in set(self.active)]
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            yield from zip(some, self._pass(some, ids.expand(len(some), -1)), strict=True)

    def leave(self, rows: Collection[int]) -> None:
        """These rows are fed no more; ``back`` makes all rows active again."""
        self.active = [row for row in self.active if row not in rows]

    def resume(self, fed: Mapping[int, Sequence[int]]) -> None:
        """Some rows alone are active, each after the first tokens that it was fed last; those that followed are forgotten.

        Args:
            fed: row -> these tokens, equally many of each.

        Raises:
            ValueError: a row was fed others, or they are not equally many.
        """
        if len({len(tokens) for tokens in fed.values()}) > 1:
            raise ValueError("rows are to go on after different numbers of tokens, must be equally many")
        for row, tokens in fed.items():
            if self._ids[row][: len(tokens)] != list(tokens):
                raise ValueError(f"row {row} is to go on after the tokens {list(tokens)}, and was fed {self._ids[row]}")
        self._fed.before = len(next(iter(fed.values()), ()))
        self.active = sorted(fed)

    def back(self) -> None:
        """Forgets all that was fed to any row; each holds what its prefill left, and is active."""
        self._fed.before = 0
        self._ids = [[] for _ in self._ids]
        self.active = sorted(self._order)

    @torch.inference_mode()
    def _pass(self, rows: Sequence[int], ids: Tensor) -> Tensor:
        """One forward pass over the next tokens of these rows, which does not count them as fed.

        Args:
            rows: in the order in which they lie in blocks.
            ids: (rows, tokens), in the order of ``rows``.

        Returns:
            (rows, tokens, vocabulary)
        """
        fed, tokens = self._fed, ids.shape[1]
        if fed.before + tokens > self.room:
            raise ValueError(f"the rows have room for {self.room} tokens, {fed.before + tokens} were to be fed")
        fed.rows = list(rows)
        positions = fed.positions(rows, fed.before + tokens)[:, fed.before :]
        new, ids = ids.tolist(), ids.to(fed.start.device)
        logits = last_of_rows(self.model, ids, positions, self._cache, tokens, attend=self._attend)
        for row, each in zip(rows, new, strict=True):
            self._ids[row][fed.before :] = each
        return logits

    def _attend(
        self, own: OwnFunction, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules
    ) -> Tensor:
        return self._layers[layer_number(module)].attend(own, self._masks, module, query, (key, value), rules)


def _only_model(runs: Sequence[PrunedRun], positions: Sequence[int]) -> PreTrainedModel:
    """The model of the runs; raises ValueError as ``Rows``."""
    if not runs or len(positions) != len(runs):
        raise ValueError(f"there are {len(runs)} runs and {len(positions)} positions, must be as many, at least one")
    if any(run.model is not runs[0].model for run in runs):
        raise ValueError("the runs are of several models, must be of one: a forward pass has the weights of one")
    if not all(can_go_back(run.kept.cache) for run in runs):
        raise ValueError(
            f"{type(runs[0].model).__name__} has layers with a state of all tokens together: its answers are decoded one by one"
        )
    return runs[0].model
