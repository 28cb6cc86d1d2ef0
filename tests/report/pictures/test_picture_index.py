"""Sentences of the index: each kind of picture has its own, with metric and keep rate as in titles."""

from pathlib import Path

import pytest

from tokenrank.report.pictures.picture_index import OTHER, SENTENCES, index_of, sentence

NAMES = {
    "ttft_against_length": "Seconds to the first token",
    "ttft_ratio_against_flops": "Time saved against counted FLOPs saved",
    "recall_at_10_variance": "recall@10: on the left",
    "spearman_layers": "spearman: all methods on one axis",
    "recall_at_2.5_prompts": "recall@2.5: a panel a method",
    "needle_recall_at_10_heatmap": "needle_recall@10: method x layer",
    "spearman_agreement": "spearman: every ranking (rows) against the truths, or all others, in the columns",
    "jaccard_at_10_between": "jaccard@10: how many",
    "study_claa_window_recall_at_10": "claa_window_recall@10: the metric against",
    "grid_accuracy": "Answers found by prompt length and needle depth, with",
    "grid_accuracy_at_20": "Answers found by prompt length and needle depth, keep rate 20 %, with",
    "grid_loss_at_2.5": "What the full prefill's answer loses, by prompt length and needle depth, keep rate 2.5 %",
    "grid_needle_kept_at_40": "The share of the needle's tokens that were kept, by prompt length and needle depth, keep rate 40 %",
    "grid_needle_recall_at_10": "needle_recall@10: the share",
    "accuracy_against_flops": "accuracy against the FLOPs",
    "kl_against_kv": "kl against the KV cache",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_one_sentence_of_its_kind(name: str) -> None:
    _, said = sentence(name)
    assert said.startswith(NAMES[name])
    assert said.endswith(".")
    assert said.count(". ") == 0


def test_every_kind_is_known_and_others_are_the_own_reports() -> None:
    assert sorted({sentence(name)[0] for name in NAMES}) == list(range(len(SENTENCES)))
    assert sentence("mine") == (len(SENTENCES), OTHER)


def test_the_index_lists_the_pictures_that_are_there_kind_by_kind(tmp_path: Path) -> None:
    for name in ("spearman_layers", "recall_at_10_variance", "my picture", "recall_at_10_layers"):
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "notes.txt").touch()
    headings = [line for line in index_of(tmp_path).splitlines() if line.startswith("## ")]
    assert headings == ["## recall_at_10_variance", "## recall_at_10_layers", "## spearman_layers", "## my picture"]
    assert "![my picture](<my picture.png>)" in index_of(tmp_path)
