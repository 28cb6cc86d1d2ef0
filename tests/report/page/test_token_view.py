"""Which tokens were found, missed and wrongly kept: by hand, and the same recall as in the tables of a real run."""

import base64
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.report.page.test_page import data_of
from tests.report.page_examples import PROMPTS, WINDOW, accuracy_run, write_page
from tests.report.run_folders import CONFIG
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import OUTSIDE, TokenLevels, TruthLevels
from tokenrank.report.page.levels import ALWAYS, FOUND, MISSED, NOTHING, WRONG
from tokenrank.report.page.token_view import view

TEXTS = ("a", "b", "c", "d", "e", "f")


def levels(*rows: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.array(rows, np.uint8)


BY_HAND = TokenLevels(
    (20.0, 40.0),
    (1, 3),
    np.zeros((1, 6), np.float32),
    levels((2, 1, 0, 0, 0, OUTSIDE)),
    {"claa": levels((2, 0, 1, 0, 0, OUTSIDE), (0, 1, 0, 2, 0, OUTSIDE))},
    TEXTS,
)


def record(**more: Any) -> Record:
    sample = {"id": "s", "status": "ok", "needle_start": 1, "needle_tokens": 2, "answer": "yes"}
    return Record("s", 0, "key", {}, sample, {}, **more)


def folder(path: Path, found: TokenLevels | None = BY_HAND, config: str = "", **more: Any) -> RunFolder:
    run = RunFolder(path)
    run.begin({}, {"s": "key", "later": "key"}, config)
    run.write_record(record(**more))
    if found is not None:
        run.write_levels("s", found)
    return run


@pytest.mark.parametrize(
    ("layer", "k", "kinds"),
    [
        ("1", 40, [FOUND, MISSED, WRONG, NOTHING, NOTHING, NOTHING]), ("1", 20, [FOUND, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]),
        ("3", 20, [MISSED, NOTHING, NOTHING, WRONG, NOTHING, NOTHING]), ("3", 40, [MISSED, FOUND, NOTHING, WRONG, NOTHING, NOTHING]),
    ],
)  # fmt: skip
def test_of_a_ranking_by_hand(tmp_path: Path, layer: str, k: float, kinds: list[int]) -> None:
    found = view(folder(tmp_path), "s", "claa", layer, k)
    assert found.kinds.tolist() == kinds
    assert found.recall == kinds.count(FOUND) / (kinds.count(FOUND) + kinds.count(MISSED))
    assert (found.evidence, found.unranked) == ([range(1, 3)], frozenset({5}))
    assert found.answers == [("answer", "yes")]
    assert found.heading == f"s: claa at layer {layer}, best {k} % of 5 ranked tokens"


TWO = "oracle: {attention: {}, ablation: {}}\nplots: {truth: %s}\n"


def test_the_truth_is_that_of_plots_truth_and_is_named(tmp_path: Path) -> None:
    other = TruthLevels(np.array([[-1, 2, -3, 1, 0, 9]], np.float32), levels((0, 2, 0, 1, 0, OUTSIDE)))
    both = replace(BY_HAND, others={"ablation": other})
    found = view(folder(tmp_path / "a", both, TWO % "ablation"), "s", "claa", "1", 40)
    assert found.kinds.tolist() == [WRONG, MISSED, WRONG, MISSED, NOTHING, NOTHING]
    assert found.heading == "s: claa at layer 1, best 40 % of 5 ranked tokens, against ablation"
    first = view(folder(tmp_path / "b", both, TWO % "null"), "s", "claa", "1", 40)
    assert first.kinds.tolist() == [FOUND, MISSED, WRONG, NOTHING, NOTHING, NOTHING]
    assert first.heading.endswith(", against attention")
    with pytest.raises(ValueError, match=r"has the run's first truth alone, and plots\.truth is ablation"):
        view(folder(tmp_path / "c", BY_HAND, TWO % "ablation"), "s", "claa", "1", 40)


def test_every_span_of_the_evidence_is_there(tmp_path: Path) -> None:
    run = folder(tmp_path)
    run.write_record(replace(record(), sample={**record().sample, "evidence": [[0, 1], [3, 5]]}))
    assert view(run, "s", "claa", "1", 40).evidence == [range(1), range(3, 5)]


def test_a_truth_of_each_layer_is_compared_at_its_layer(tmp_path: Path) -> None:
    each = replace(
        BY_HAND,
        importance=np.zeros((2, 6), np.float32),
        truth=levels((2, 1, 0, 0, 0, OUTSIDE), (0, 1, 0, 2, 0, OUTSIDE)),
    )
    run = folder(tmp_path, each)
    assert (view(run, "s", "claa", "1", 40).recall, view(run, "s", "claa", "3", 40).recall) == (0.5, 1.0)


RUNS: list[dict[str, Any]] = [
    {"engine": "full", "heuristic": None, "keep": 100.0, "kept": None, "answer_tokens": 1, "answer": "yes", "error": None},
    {"engine": "layerwise", "heuristic": "claa", "keep": 20.0, "kept": [5], "answer_tokens": 1, "answer": "no", "error": None},
    {"engine": "layerwise", "heuristic": "claa", "keep": 40.0, "kept": [0, 2], "answer_tokens": None, "answer": None, "error": None},
    {"engine": "layerwise", "heuristic": "tova", "keep": 20.0, "kept": None, "answer_tokens": None, "answer": None, "error": "no room"},
]  # fmt: skip
OF_ENGINES = replace(
    BY_HAND,
    rankings={},
    importance=np.array([[0.5, 0.4, 0.3, 0.2, 0.1, 0.9]], np.float32),
    truth=levels((2, 1, 0, 0, 0, 0)),
)


def test_of_an_engine_by_hand(tmp_path: Path) -> None:
    run = folder(tmp_path, OF_ENGINES, runs=RUNS)
    found = view(run, "s", "claa", "20")
    assert found.kinds.tolist() == [NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, FOUND]
    assert found.answers == [("full prefill", "yes"), ("claa at 20 %", "no")]
    assert view(run, "s", "claa", "40").kinds.tolist() == [FOUND, NOTHING, WRONG, NOTHING, NOTHING, MISSED]
    assert view(run, "s", "claa", "40").answers == [("answer", "yes")]  # evaluation=fidelity


def test_tokens_that_every_engine_keeps_are_not_judged(tmp_path: Path) -> None:
    """Kept are 0, 2 and the window of 5; with the frame around the context 2 to 4 also 0."""
    kept = [{**RUNS[2], "kept": [0, 2, 5], "protect": protect} for protect in ("window", "frame")]
    of_window = folder(tmp_path / "w", OF_ENGINES, "prefill:\n  window: 1\n", runs=[kept[0]])
    assert view(of_window, "s", "claa", "40").kinds.tolist() == [FOUND, MISSED, WRONG, NOTHING, NOTHING, ALWAYS]
    assert view(of_window, "s", "claa", "40").recall == 0.5
    of_frame = folder(tmp_path / "f", OF_ENGINES, "prefill:\n  window: 1\n", runs=[kept[1]])
    of_frame.write_record(
        replace(record(runs=[kept[1]]), sample={**record().sample, "context_start": 2, "context_tokens": 3})
    )
    assert view(of_frame, "s", "claa", "40").kinds.tolist() == [ALWAYS, NOTHING, FOUND, NOTHING, NOTHING, ALWAYS]


def test_the_verdicts_are_those_of_the_page(tmp_path: Path) -> None:
    run = accuracy_run(tmp_path)
    run.config.write_text(f"{CONFIG}prefill:\n  window: {WINDOW}\n")
    tables = run.tables()
    for number, prompt in enumerate(PROMPTS):
        own = tables.runs[tables.runs["sample"] == prompt].astype(object)
        runs = [
            {str(name): None if name != "kept" and pd.isna(value) else value for name, value in row.items()}
            | {"kept": None if row["kept"] is None else [int(token) for token in row["kept"]]}
            for row in own.to_dict("records")
        ]
        run.write_record(Record(prompt, number, "key", {}, {"id": prompt, "status": "ok"}, {}, runs=runs))
        shown = data_of(write_page(run))["views"][prompt]["kept"]
        for name, packed in shown.items():
            wanted = list(zlib.decompress(base64.b64decode(packed)))
            assert view(run, prompt, *name.split(" ")).kinds.tolist() == wanted
            assert ALWAYS in wanted


def test_an_engine_is_held_against_the_mean_of_the_truths_of_layers(tmp_path: Path) -> None:
    two = np.array([[0.0, 0.4, 0.3, 0, 0, 0], [0.9, 0.2, 0.1, 0, 0, 0]], np.float32)
    each = replace(OF_ENGINES, truth=OF_ENGINES.truth.repeat(2, 0), importance=two)
    found = view(folder(tmp_path, each, runs=RUNS), "s", "claa", "40")
    assert found.kinds.tolist() == [FOUND, MISSED, WRONG, NOTHING, NOTHING, NOTHING]
    assert "the mean of the layers' truths" in found.heading


def test_a_keep_rate_that_the_levels_of_a_joined_run_lack_is_shown_too(tmp_path: Path) -> None:
    run = folder(tmp_path, replace(OF_ENGINES, k=(20.0,), truth=levels((1, 0, 0, 0, 0, 0))), runs=RUNS)
    assert view(run, "s", "claa", "40").kinds.tolist() == [FOUND, NOTHING, WRONG, NOTHING, NOTHING, MISSED]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("t", "claa", "1"), "sample is 't', must be one of this run's 2: s, later"),
        (("later", "claa", "1"), "later is not measured yet: half a run, 1 of 2 units are done"),
        (("s", "clab", "1"), "heuristic is 'clab', must be one of this run's: claa"),
        (("s", "claa", "2"), "layer is 2, must be one of this run's: 1, 3"),
        (("s", "claa", "x"), "layer is x, must be one of this run's: 1, 3"),
        (("s", "claa", "1", 10.0), "--k is 10, must be one of this run's: 20, 40"),
    ],
)
def test_what_is_not_there_gets_a_sentence(tmp_path: Path, asked: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace("'", ".") + "$"):
        view(folder(tmp_path), *asked)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("s", "snapkv", "20"), "contestant is 'snapkv', must be one of this run's that prune: claa, tova"),
        (("s", "full", "100"), "contestant is 'full', must be one of this run's that prune: claa, tova"),
        (("s", "claa", "30"), "keep rate is 30, must be one of this run's: 20, 40"),
        (("s", "tova", "20"), "tova at 20 % kept no tokens of s: no room"),
        (("s", "claa", "20", 20.0), "--k is 20, must be left out"),
    ],
)
def test_what_no_engine_kept_gets_a_sentence(tmp_path: Path, asked: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace("'", ".")):
        view(folder(tmp_path, OF_ENGINES, runs=RUNS), *asked)


def test_a_run_without_levels_or_texts_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="save_levels=false"):
        view(folder(tmp_path / "a", None), "s", "claa", "1")
    with pytest.raises(ValueError, match=r"keeps no texts \(texts=false\)"):
        view(folder(tmp_path / "b", replace(BY_HAND, texts=None)), "s", "claa", "1")
    with pytest.raises(ValueError, match="is no run folder"):
        view(RunFolder(tmp_path), "s", "claa", "1")


def test_of_many_names_the_nearest_are_offered(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.begin({}, {f"niah_{number}": "key" for number in range(50)}, "")
    with pytest.raises(ValueError, match=r"this run's 50: .*niah_17.* and 38 more$"):
        view(run, "niah_17x", "claa", "1")
