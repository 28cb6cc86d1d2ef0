"""The rows of one prompt: its rankings measured against each of its truths."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.measuring import Asked, MetricFailures
from tokenrank.evaluation.scoring import Ranked
from tokenrank.metrics.metric import Metric
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.tasks.task import Prompt


def measured_rows(
    ranked: Ranked,
    prompt: Prompt,
    metrics: Mapping[str, Metric],
    percents: Sequence[float],
    universe: range,
    windowed: Collection[int] = (),
    signed: Collection[str] = (),
) -> Iterator[Row]:
    """All rows of one prompt, by truth: the chance levels (no heuristic), then each heuristic's values at each layer and between layers.

    Args:
        ranked: the scores and the truth.
        prompt: what was ranked.
        metrics: by name.
        percents: of the universe, for the metrics that take a k.
        universe: positions of the prompt's tokens that are ranked; its evidence is among them.
        windowed: numbers of the layers with a sliding window.
        signed: as for ``Asked.against_each``.
    """
    each = list(Asked.against_each(ranked, prompt, metrics, percents, universe, signed))
    return iter(rows_by_truth(each, ranked, universe, windowed, lambda asked, name, own: asked.of_ranking(name, own)))


def rows_by_truth(
    each: Sequence[Asked],
    ranked: Ranked,
    universe: range,
    windowed: Collection[int],
    measure: Callable[[Asked, str, Ranking], list[Row]],
    failures: MetricFailures | None = None,
) -> list[Row]:
    """Chance levels and values against each truth; a ranking is sorted once, whatever the number of truths.

    Order and ranks are large. They are held of one ranking and one truth at a time; of truths with a row for each layer the order alone
    is kept, at 4 bytes a token.

    Args:
        each: of the prompt's truths, in the order of the rows.
        ranked: the scores and the truths.
        universe: positions of the ranked tokens.
        windowed: numbers of the layers with a sliding window.
        measure: the values of one ranking, given by its name and over the universe.
        failures: as for ``Asked.chance``.
    """
    found = [list(named_rows(None, asked.chance(failures), windowed)) for asked in each]
    for name, scores in ranked.scores.items():
        own = Ranking(scores[:, universe.start : universe.stop])
        for asked in each:
            if ranked.truths[asked.truth].importance is scores:  # a ranking that is a truth too
                own = asked.target.truth
        for asked, rows in zip(each, found, strict=True):
            rows += named_rows(name, measure(asked, name, own), windowed)
            if asked.target.truth is not own and len(asked.target.truth.scores) > 1:
                asked.target.truth.release()
        own.release()
    return [row for rows in found for row in rows]


def named_rows(heuristic: str | None, rows: Iterable[Row], windowed: Collection[int]) -> Iterator[Row]:
    """The rows with the name of their heuristic, and whether their layer has a sliding window."""
    for row in rows:
        layer = row.get("layer")
        named = {} if heuristic is None else {"heuristic": heuristic}
        yield row | named | {"windowed": None if layer is None else layer in windowed}
