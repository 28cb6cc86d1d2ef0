"""The printed table: its numbers worked by hand, best first, chance last, and what it says where there is nothing."""

from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.records.tables import Tables
from tokenrank.report.printed.table import summary
from tokenrank.report.rows.aligned import WIDTH

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
    for heuristic in ("middling", "best", "worst"):
        for metric, k, factor in (("recall", 10.0, 1), ("recall", 5.0, 0), ("spearman", None, -1)):
            for statistic, of in (("mean", lambda each: sum(each) / 2), ("worst", min)):
                each = [
                    of([factor * value for value in RECALL[heuristic, sample]] if factor else (0.5, 0.5))
                    for sample in CHANCE
                ]
                ends = (
                    {"low": 0.5, "high": 0.9}
                    if intervals and (heuristic, metric, k) == ("best", "recall", 10.0)
                    else {}
                )
                row = of_prompts(heuristic, metric, statistic, k, sum(each) / 2, prompts=2)
                summary.append(row | ends)
    if intervals:
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
    assert first == "mean over layers, its 95 % interval and (worst layer), average of 2 prompts"
    assert second.split() == ["heuristic", "recall@10", "(worst)", "spearman", "(worst)"]


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
    assert heading.split() == ["heuristic", "recall@10", "[95", "%]", "(worst)", "spearman", "(worst)"]
    assert found[0].split()[1:5] == ["0.700", "[0.500,", "0.900]", "(0.500)"]
    assert "[" not in "".join(found[1:])


def test_as_many_metrics_are_shown_as_fit_and_long_names_stay_apart() -> None:
    names = [f"claa_window{number}_kernel7_heads_kv" for number in range(14)]
    metrics = ["recall", "spearman", "average_precision", "mass"]
    rows, over = [], []
    for number, name in enumerate(names):
        for metric in metrics:
            value = 0.5 + number / 100
            rows += [at_layer("a", name, 0, metric, None, value), at_layer("a", None, None, metric, None, 0.1)]
            over += [of_prompt("a", name, metric, each, None, value) for each in ("mean", "worst")]
            over += [
                of_prompts(name, metric, each, None, value, low=value - 0.1, high=value + 0.1, prompts=20)
                for each in ("mean", "worst")
            ]
    lines = summary(ranked(rows, over), 10).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].split() == ["heuristic", "recall", "[95", "%]", "(worst)", "spearman", "[95", "%]"]
    shown = [line.split()[0] for line in lines[2:-1]]
    assert len(set(shown)) == 14
    assert [line.split()[1] for line in lines[2:4]] == ["0.630", "0.620"]


def test_where_nothing_was_ranked_it_says_so() -> None:
    assert summary(ranked(), 10) == "no prompt could be ranked"
    only_chance = ranked([at_layer("a", None, None, "jaccard", 10.0, 0.1)])
    assert summary(only_chance, 10) == "no metric has a value at the one layer that was ranked"
