"""The printed table: its numbers worked by hand, best first, chance last, and what it says where there is nothing."""

from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.table import summary

# heuristic, sample -> recall of its two layers at 10 %
RECALL = {
    ("middling", "a"): (0.5, 0.3),
    ("middling", "b"): (0.7, 0.5),
    ("best", "a"): (0.9, 0.1),
    ("best", "b"): (0.9, 0.9),
    ("worst", "a"): (0.2, 0.2),
    ("worst", "b"): (0.1, 0.3),
}
CHANCE = {"a": 0.10, "b": 0.12}


def made_up(intervals: bool = False) -> Tables:
    """Recall at 10 %, as good a recall at 5 % for all, and a rank correlation whose order is the reverse."""
    metrics, summary = [], []
    for sample, level in CHANCE.items():
        metrics += [at_layer(sample, None, None, "recall", k, level) for k in (5.0, 10.0)]
        metrics.append(at_layer(sample, None, None, "spearman", None, 0.0))
    for (heuristic, sample), layers in RECALL.items():
        named = {("recall", 10.0): layers, ("recall", 5.0): (0.5, 0.5), ("spearman", None): [-each for each in layers]}
        for (metric, k), values in named.items():
            metrics += [at_layer(sample, heuristic, layer, metric, k, value) for layer, value in enumerate(values)]
            summary.append(of_prompt(sample, heuristic, metric, "mean", k, sum(values) / 2))
            summary.append(of_prompt(sample, heuristic, metric, "worst", k, min(values)))
    if intervals:
        summary += [of_prompts("best", "recall", "mean", 10.0, 0.7, low=0.5, high=0.9)]
        summary += [of_prompts("best", "recall", "mean", 10.0, 0.1, low=0.0, high=0.2, against="worst")]
    return ranked(metrics, summary)


def lines(k: float = 10) -> dict[str, list[str]]:
    """Cells of each line below the headings by its first word, in order."""
    return {line.split()[0]: line.split()[1:] for line in summary(made_up(), k).splitlines()[2:]}


def test_the_numbers_are_means_over_prompts() -> None:
    table = lines()
    assert table["best"][:2] == [f"{(0.5 + 0.9) / 2:.3f}", f"({(0.1 + 0.9) / 2:.3f})"]
    assert table["middling"][:2] == [f"{(0.4 + 0.6) / 2:.3f}", f"({(0.3 + 0.5) / 2:.3f})"]
    assert table["worst"][:2] == [f"{0.2:.3f}", f"({(0.2 + 0.1) / 2:.3f})"]
    assert table["best"][2:] == [f"{-0.7:.3f}", f"({-0.9:.3f})"]


def test_the_best_by_the_first_metric_comes_first_and_chance_last() -> None:
    assert list(lines()) == ["best", "middling", "worst", "(chance)"]
    assert lines()["(chance)"] == [f"{(0.10 + 0.12) / 2:.3f}", f"{0:.3f}"]


def test_the_headings_name_the_prompts_and_the_metrics_with_their_k() -> None:
    first, second, *_ = summary(made_up(), 10).splitlines()
    assert first == "mean over layers (worst layer), average of 2 prompts"
    assert second.split() == ["recall@10", "spearman"]


def test_another_k_shows_its_own_numbers() -> None:
    table = lines(k=5)
    assert [table[name][0] for name in ("best", "middling", "worst")] == [f"{0.5:.3f}"] * 3
    assert table["best"][2:] == lines()["best"][2:]  # a metric without k


def test_the_chance_level_stands_below_the_means() -> None:
    *heuristics, chance_line = summary(made_up(), 10).splitlines()[2:]
    points = [[place for place, letter in enumerate(line) if letter == "."] for line in heuristics]
    assert len(points) == 3
    of_chance = [place for place, letter in enumerate(chance_line) if letter == "."]
    assert [each[::2] for each in points] == [of_chance] * 3


def test_the_interval_of_the_first_metric_stands_beside_it() -> None:
    heading, *found = summary(made_up(intervals=True), 10).splitlines()[1:]
    assert heading.split() == ["recall@10", "[95", "%]", "spearman"]
    assert "0.700  (0.500)  [0.500, 0.900]" in found[0]
    assert "[" not in "".join(found[1:])


def test_where_nothing_was_ranked_it_says_so() -> None:
    assert summary(ranked(), 10) == "no prompt could be ranked"
    only_chance = ranked([at_layer("a", None, None, "jaccard", 10.0, 0.1)])
    assert summary(only_chance, 10) == "no metric has a value at the one layer that was ranked"
