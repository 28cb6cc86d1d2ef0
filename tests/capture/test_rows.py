"""Rows: several pruned runs fed in one pass, against each run fed alone, on every architecture; what is refused."""

import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.prefill.cases import ANSWER, ENGINES, PLAIN, layers_of, model_of, prompt
from tokenrank.capture import row_blocks
from tokenrank.capture import rows as rows_module
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.row_blocks import Block, Fed, RowsLayer
from tokenrank.capture.rows import Rows
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.snapkv import SnapKV
from tokenrank.models.architectures import tiny_of
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

TOGETHER = [name for name in PLAIN if not name.startswith("deepseek")]  # latent caches are expanded by the module
FED = torch.tensor([7, 3, 60, 21, 5])  # answer tokens
CASES: list[tuple[Engine, Heuristic, int]] = [  # tokens kept of 40; equally many in rows that are not neighbours
    (Layerwise(window=4), CLAA(window=4, n=2), 18),
    (Full(), CLAA(), 40),
    (Restart(window=4), GemFilter(), 10),
    (Layerwise(window=4), SnapKV(window=4), 18),
    (Layerwise(window=4, min_layer=1), CLAA(window=4, n=2), 10),
    (Restart(window=4), GemFilter(), 18),
]


def read(architecture: str, implementation: str | None = None, cases: Any = CASES) -> list[Prefilled]:
    model = model_of(architecture, implementation)
    return [
        engine.resolved(heuristic, layers_of(architecture)).prefill(
            Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER)
        )
        for engine, heuristic, kept in cases
    ]


def laid(done: Sequence[Prefilled], shift: int = 0) -> Rows:
    return Rows([each.run for each in done], [each.next_position + shift for each in done])


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", TOGETHER)
def test_rows_fed_together_say_what_each_says_alone(architecture: str, implementation: str | None) -> None:
    alone = read(architecture, implementation)
    wanted = torch.stack([each.run.feed(FED, each.next_position) for each in alone])
    for each in alone:
        each.run.back()
    rows = laid(alone)
    found = [rows.feed(FED[:1].expand(len(alone), 1)), rows.feed(FED[1:4].expand(len(alone), 3))]
    rows.leave([0, 3])
    assert rows.active == [1, 2, 4, 5]
    last = rows.feed(FED[4:].expand(4, 1))
    assert torch.allclose(torch.cat(found, dim=1), wanted[:, :4], atol=1e-4)
    assert torch.allclose(last, wanted[[1, 2, 4, 5], 4:], atol=1e-4)
    rows.back()
    again = dict(rows.logits_of(FED))
    assert sorted(again) == list(range(len(alone)))
    assert torch.allclose(torch.stack([again[row] for row in range(len(alone))]), wanted, atol=1e-4)


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma3", "gpt2"])
def test_a_wrong_position_says_something_else(architecture: str, implementation: str | None) -> None:
    wanted = dict(laid(read(architecture, implementation)).logits_of(FED))
    found = dict(laid(read(architecture, implementation), shift=1).logits_of(FED))
    assert all(not torch.allclose(found[row], wanted[row], atol=1e-3) for row in wanted)


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gpt2"])
@torch.inference_mode()
def test_another_rows_cache_says_something_else(architecture: str) -> None:
    """Rows 0 and 3 hold equally many tokens, chosen by two heuristics."""
    wanted = dict(laid(read(architecture)).logits_of(FED))
    rows = laid(read(architecture))
    for layer in rows._layers:
        block = next(block for block in layer.blocks if {0, 3} <= set(block.rows))
        one, other = block.rows.index(0), block.rows.index(3)
        block.keys[[one, other]] = block.keys[[other, one]]
        block.values[[one, other]] = block.values[[other, one]]
    found = dict(rows.logits_of(FED))
    assert not torch.allclose(found[0], wanted[0], atol=1e-3)
    assert not torch.allclose(found[3], wanted[3], atol=1e-3)
    assert all(torch.equal(found[row], wanted[row]) for row in (1, 2, 4, 5))


@torch.inference_mode()
def test_a_window_counts_each_rows_own_positions() -> None:
    """With those of another row, other keys are seen."""
    wanted = dict(laid(read("mistral (window)")).logits_of(FED))
    rows = laid(read("mistral (window)"))
    for layer in rows._layers:
        for block in layer.blocks:
            assert block.positions is not None
            if {0, 3} <= set(block.rows):
                one, other = block.rows.index(0), block.rows.index(3)
                block.positions[[one, other]] = block.positions[[other, one]]
    found = dict(rows.logits_of(FED))
    assert not torch.allclose(found[0], wanted[0], atol=1e-3)
    assert torch.equal(found[1], wanted[1])


def test_rows_that_hold_equally_many_tokens_share_a_block_and_a_call() -> None:
    done = read("llama", cases=[CASES[0], CASES[2], CASES[3], CASES[5]])  # 18, 10, 18, 18 tokens
    rows = laid(done)
    assert [sorted(block.rows) for block in rows._layers[0].blocks] == [[1], [0, 2, 3]]
    assert [tuple(block.keys.shape) for block in rows._layers[0].blocks] == [(1, 2, 16, 8), (3, 2, 24, 8)]
    rows.feed(FED[:1].expand(4, 1))
    assert [len(layer._now()) for layer in rows._layers] == [2, 2, 2]
    rows.leave([2])
    rows.feed(FED[:1].expand(3, 1))
    assert [sum(piece.batch.stop - piece.batch.start for piece in layer._now()) for layer in rows._layers] == [3, 3, 3]


def test_rows_that_hold_as_many_in_late_layers_are_neighbours() -> None:
    """The order of the runs does not decide how many calls there are."""
    rows = laid(read("llama", cases=[CASES[0], CASES[2]] * 3))
    rows.feed(FED[:1].expand(6, 1))
    assert [len(layer._now()) for layer in rows._layers] == [2, 2, 2]


def test_caches_move_layer_by_layer_and_none_is_held_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = read("llama")
    held = [[weakref.ref(layer._keys) for layer in each.run.kept.cache.layers] for each in done]  # type: ignore[union-attr]
    seen: list[list[bool]] = []
    plain = row_blocks.blocks_of

    def noted(*given: Any) -> Any:
        seen.append([any(run[layer]() is not None for run in held) for layer in range(3)])
        return plain(*given)

    monkeypatch.setattr(rows_module, "blocks_of", noted)
    rows = laid(done)
    assert seen == [[True, True, True], [False, True, True], [False, False, True]]
    assert not any(reference() for run in held for reference in run)
    with pytest.raises(ValueError, match="room for 0 tokens"):
        done[0].decode(1, 0)
    assert len(rows.active) == 6


@pytest.mark.parametrize(("bytes_", "passes"), [(1, 6), (2 * 5 * 64 * 4, 3), (2**27, 1)])
def test_large_logits_are_made_in_several_passes(monkeypatch: pytest.MonkeyPatch, bytes_: int, passes: int) -> None:
    wanted = dict(laid(read("mistral (window)")).logits_of(FED))
    monkeypatch.setattr(rows_module, "LOGITS_BYTES", bytes_)
    rows = laid(read("mistral (window)"))
    fed: list[int] = []
    plain = rows._pass

    def noted(some: list[int], ids: Tensor) -> Tensor:
        fed.append(len(some))
        return plain(some, ids)

    monkeypatch.setattr(rows, "_pass", noted)
    found = dict(rows.logits_of(FED))
    assert len(fed) == passes
    assert sum(fed) == 6
    assert all(torch.allclose(found[row], wanted[row], atol=1e-5) for row in range(6))


def test_rows_go_on_after_tokens_that_they_were_fed() -> None:
    wanted = torch.stack([each.run.feed(FED, each.next_position) for each in read("llama")])
    rows = laid(read("llama"))
    for _ in rows.logits_of(FED):
        pass
    rows.resume({4: [7, 3], 1: [7, 3]})
    assert rows.active == [1, 4]
    found = rows.feed(FED[2:4].expand(2, 2))
    assert torch.allclose(found, wanted[[1, 4], 2:4], atol=1e-4)
    rows.resume({row: FED[:4].tolist() for row in (0, 1, 4)})
    assert torch.allclose(rows.feed(FED[4:].expand(3, 1)), wanted[[0, 1, 4], 4:], atol=1e-4)
    with pytest.raises(
        ValueError, match=r"row 0 is to go on after the tokens \[7, 3, 60, 21, 5, 9\], and was fed \[7, 3, 60, 21, 5\]"
    ):
        rows.resume({0: [*FED.tolist(), 9]})
    with pytest.raises(ValueError, match="must be equally many"):
        rows.resume({0: [7], 1: []})
    rows.back()
    with pytest.raises(ValueError, match=r"row 0 is to go on after the tokens \[7\], and was fed \[\]"):
        rows.resume({0: [7]})


def test_rows_cannot_go_on_after_tokens_that_others_have_replaced() -> None:
    rows = laid(read("llama"))
    for answer in (FED, torch.tensor([7, 4])):
        for _ in rows.logits_of(answer):
            pass
    rows.resume({0: [7]})
    with pytest.raises(ValueError, match=r"after the tokens \[7, 3\], and was fed \[7, 4\]"):
        rows.resume({0: [7, 3]})


def test_more_tokens_than_there_is_room_for_are_refused_before_any_is_fed() -> None:
    rows = laid(read("llama"))
    wanted = dict(rows.logits_of(FED))
    assert rows.room == ANSWER
    with pytest.raises(ValueError, match="room for 6 tokens, 7 were to be fed"):
        rows.feed(torch.zeros(6, 7, dtype=torch.int64))
    rows.feed(torch.zeros(6, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="room for 6 tokens, 7 were to be fed"):
        rows.feed(torch.zeros(6, 3, dtype=torch.int64))
    rows.back()
    found = dict(rows.logits_of(FED))
    assert all(torch.equal(found[row], wanted[row]) for row in wanted)


@pytest.mark.parametrize("shape", [(6,), (5, 1), (6, 0), (6, 1, 1)])
def test_tokens_must_be_those_of_the_active_rows(shape: tuple[int, ...]) -> None:
    rows = laid(read("llama"))
    with pytest.raises(ValueError, match=r"must be \(rows, tokens\) with the 6 active rows"):
        rows.feed(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("shape", [(0,), (6, 1)])
def test_tokens_for_all_rows_must_be_one_answer(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(tokens,\) with at least one token"):
        next(laid(read("llama")).logits_of(torch.zeros(shape, dtype=torch.int64)))


def test_runs_that_cannot_be_laid_together_are_refused() -> None:
    done = read("llama", cases=CASES[:2])
    with pytest.raises(ValueError, match="0 runs and 0 positions"):
        Rows([], [])
    with pytest.raises(ValueError, match="2 runs and 1 positions"):
        Rows([each.run for each in done], [40])
    other = PrunedRun(tiny_of("llama"), prompt(), answer_tokens=1)
    other.prefill()
    with pytest.raises(ValueError, match="the runs are of several models"):
        Rows([done[0].run, other], [40, 40])
    engine, heuristic = ENGINES["layerwise"]
    hybrid = read("falcon_h1 (hybrid)", cases=[(engine, heuristic, 18)])
    with pytest.raises(ValueError, match="a state of all tokens together: its answers are decoded one by one"):
        Rows([hybrid[0].run], [40])


def test_a_module_that_changes_what_was_cached_is_refused() -> None:
    """Latent attention makes keys and values of what is cached, which rows of different lengths cannot be given."""
    with pytest.raises(ValueError, match="DeepseekV3Attention changes keys or values after they were cached"):
        list(laid(read("deepseek_v3 (yarn)")).logits_of(FED))


def test_pieces_are_the_longest_runs_of_neighbours() -> None:
    buffer = torch.zeros(4, 1, 8, 2)
    first, other = Block([5, 2, 0, 4], buffer, buffer, 3, None), Block([1, 3], buffer[:2], buffer[:2], 4, None)
    layer = RowsLayer([first, other], Fed(torch.arange(6), rows=[5, 2, 0, 4, 1, 3]))

    def found() -> list[tuple[int, int, int, int]]:
        return [(piece.batch.start, piece.batch.stop, piece.places.start, piece.places.stop) for piece in layer._now()]

    assert found() == [(0, 4, 0, 4), (4, 6, 0, 2)]
    layer.fed.rows = [5, 0, 4, 3]
    assert found() == [(0, 1, 0, 1), (1, 3, 2, 4), (3, 4, 1, 2)]
    layer.fed.rows = [4, 5]
    assert found() == [(0, 1, 3, 4), (1, 2, 0, 1)]


def test_new_tokens_are_stored_behind_what_each_row_holds() -> None:
    keys: Tensor = torch.zeros(2, 1, 6, 1)
    layer = RowsLayer([Block([1, 0], keys, keys.clone(), 3, None)], Fed(torch.zeros(2), rows=[0], before=1))
    new = torch.full((1, 1, 2, 1), 7.0)
    assert layer.update(new, new)[0] is new
    assert keys[:, 0, :, 0].tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 7, 7]]
