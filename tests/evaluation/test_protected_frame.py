"""prefill.protect through a whole run: what stays, the needle's share of it, and a prompt whose context is not known."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.plans import composed, plan, tables
from tokenrank.evaluation.pruned_answers import needle_kept
from tokenrank.planning.making import make_plan
from tokenrank.records.tables import Tables

FRAME = ("prefill.protect=frame", "prefill.keep=[60]", "task.depths=[50]", "heuristic=[claa,gemfilter,speculative]")


@cache
def framed() -> Tables:
    """One needle prompt of 300 tokens: 80 before its context and 59 after it."""
    return tables(*FRAME, evaluation="accuracy")


def test_the_frame_stays_in_a_whole_run() -> None:
    runs = framed().runs.dropna(subset=["heuristic"])
    context = set(range(80, 241))
    assert len(runs) == 3 + 2 * 3
    for run in runs.to_dict("records"):
        assert set(range(300)) - context <= set(run["kept"]), run["heuristic"]
        assert len(run["kept"]) == run["kept_tokens"] == 180
        assert run["needle_kept"] == len(set(run["kept"]) & set(range(177, 218))) / 41
        assert run["protect"] == "frame"
    assert runs["needle_kept"].nunique() > 2
    bound = runs[runs["heuristic"].str.startswith("oracle")]
    assert (bound["status"] == "ok").all()
    full = framed().runs[framed().runs["engine"] == "full"]
    assert full["needle_kept"].to_list() == [1]
    kept = framed().metrics[framed().metrics["metric"] == "needle_kept"]
    assert dict(zip(kept["heuristic"].fillna("full"), kept["value"], strict=True)) == dict(
        zip(framed().runs["heuristic"].fillna("full"), framed().runs["needle_kept"], strict=True)
    )


def test_the_window_alone_does_not_keep_the_frame() -> None:
    runs = tables("prefill.protect=window", *FRAME[1:], evaluation="fidelity").runs.dropna(subset=["heuristic"])
    assert set(runs["protect"]) == {"window"}
    frame = set(range(300)) - set(range(80, 241))
    assert not any(frame <= set(kept) for kept in runs["kept"])


def test_the_frame_of_a_prompt_whose_context_is_not_known_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"id": "a", "prompt": "Ada wrote it. " * 20, "answers": ["Ada"]}) + "\n")
    given = (
        "evaluation=fidelity",
        "model=tiny",
        "store=null",
        "task=prompts",
        f"task.path={file}",
        "prefill.keep=[60]",
    )
    with pytest.raises(
        ValueError, match=r"^prefill.protect is frame, and the context of prompt a of .* is not known: set "
    ):
        make_plan(composed(*given, "prefill.protect=frame"))
    assert make_plan(composed(*given, "prefill.protect=window")).evaluation.kind == "fidelity"


def test_a_share_of_the_needle() -> None:
    (prompt,) = plan("task.depths=[50]").prompts
    assert needle_kept(prompt, range(300)) == 1
    assert needle_kept(prompt, [0, 177, 178, 217, 218]) == 3 / 41
    assert needle_kept(prompt, []) == 0
    assert needle_kept(replace(prompt, evidence=()), range(300)) is None
    assert needle_kept(replace(prompt, evidence=(range(2, 4), range(8, 10))), [3, 5, 8, 9]) == 3 / 4
