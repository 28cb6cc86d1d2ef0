"""A metric whose chance level is not known: pictures, tables, page, sentences and trackers show none; of a known one each has it."""

import math
from dataclasses import replace

import pytest

from tests.report.drawn_pictures import drawn, texts
from tests.report.layer_examples import ranking
from tokenrank.records.tables import Tables
from tokenrank.report.loggers.run_copy import CHANCE, means_of_rankings
from tokenrank.report.page.packing import number
from tokenrank.report.pictures.layer_curves import layer_curves, prompt_bands
from tokenrank.report.pictures.layer_values import layer_values
from tokenrank.report.pictures.layer_variance import layer_variance
from tokenrank.report.pictures.plots import heat_map
from tokenrank.report.printed.table import summary
from tokenrank.report.rows.ranking_rows import label, ranked_metrics
from tokenrank.report.sentences.layer_sentences import level_sentences


def example(*, known: bool) -> Tables:
    tables = ranking()
    by_chance = tables.metrics["heuristic"].isna()
    return (
        tables
        if known
        else replace(tables, metrics=tables.metrics.assign(value=tables.metrics["value"].mask(by_chance)))
    )


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("draw", [layer_curves, prompt_bands, layer_variance, heat_map])
def test_pictures_show_a_chance_level_that_is_known(draw: object, known: bool) -> None:
    assert callable(draw)
    figure = drawn(lambda: draw(layer_values(example(known=known), "recall", 10)))
    assert any("chance" in each for each in texts(figure)) == known
    lines = [line for axes in figure.axes for line in axes.get_lines() if line.get_label() == "chance"]
    marks = [line for axes in figure.axes[1:] for line in axes.get_lines()] if draw is heat_map else lines
    assert bool(marks) == known


@pytest.mark.parametrize("known", [True, False])
def test_words_and_numbers_have_a_chance_level_that_is_known(known: bool) -> None:
    tables = example(known=known)
    assert ("a random ranking reaches 0.100" in level_sentences(tables, "recall", 10)[0]) == known
    assert "nan" not in level_sentences(tables, "recall", 10)[0]
    assert summary(tables, 10).splitlines()[-1].split()[:2] == ["(chance)", "0.100" if known else "-"]
    levels = means_of_rankings(tables, 10)
    assert ("recall@10" in set(levels.loc[levels["contestant"] == CHANCE, "name"])) == known
    assert levels["value"].notna().all()
    assert number(layer_values(tables, "recall", 10).by_chance) == (0.1 if known else None)


def test_a_metric_whose_chance_level_is_not_known_keeps_its_name() -> None:
    alone = example(known=False)
    without_layers = replace(alone, metrics=alone.metrics[alone.metrics["layer"].isna()])
    assert label(without_layers.metrics, "recall", 10) == "recall@10"
    assert ranked_metrics(without_layers) == ["recall", "spearman"]
    assert math.isnan(layer_values(alone, "recall", 10).by_chance)
