"""Sentences of a results section on the comparisons that a run was made for: what was found, what was not, and what could not have been."""

from collections.abc import Iterator

import pandas as pd

from tokenrank.records.measures import better
from tokenrank.records.schema import contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.aligned import interval
from tokenrank.report.rows.compared_pairs import POWER, detectable, family_of, is_exploratory, undeclared
from tokenrank.report.rows.comparisons import LEVEL, least_p, measure_of, needed_prompts
from tokenrank.report.rows.phrases import count, listed

SPELT = 3  # comparisons of one winner that are given each with its interval; more are summed up
ROUNDS_TO_ZERO = 0.0005  # an end below it would read as 0.000
PAIRS = 8  # pairs without an established difference that are named; more are counted
TESTED = "Differences are tested by flipping the signs of whole prompts; p and 95 % intervals are adjusted for all pairs of a family"
MISSES = f"with power {POWER} (about), smaller ones less often"
NO_EQUALITY = "A difference that is not established is no evidence of equality."


def difference_sentences(tables: Tables) -> list[str]:
    """For each keep rate of the declared family who is better than whom, which differences are not established, and what n allows.

    Args:
        tables: of the run.

    Returns:
        None where nothing was compared.
    """
    rows = family_of(tables)
    families = [family for _, family in rows.groupby(["metric", "keep"], sort=False, dropna=False)]
    if not families:
        return []
    apart = "; each keep rate is a family of its own" if len(families) > 1 else ""
    begin = f"Exploratory comparison {undeclared(tables)}" if is_exploratory(rows) else "Declared comparison"
    said = list(_too_few([family for family in families if _hopeless(family)], begin))
    said += [sentence for family in families if not _hopeless(family) for sentence in _of_family(family, begin)]
    return [
        f"{TESTED}{apart}. Differences are of unrounded values.",
        *said,
        *([NO_EQUALITY] if any(MISSES in each for each in said) else []),
    ]


def order_sentence(tables: Tables) -> str:
    """Whether the declared comparison tells methods apart, and for how many pairs; of another truth that it is exploratory.

    Args:
        tables: of the run.
    """
    rows = family_of(tables)
    if rows.empty:
        return "The order of the methods is not established: no two of them were compared."
    prompts = int(rows["prompts"].max())
    if least_p(prompts) > LEVEL:
        return (
            f"The order of the methods is not established. With {count(prompts, 'prompt')} no difference can be significant: "
            f"the smallest possible p is {least_p(prompts):.2g}, {needed_prompts(prompts)} prompts are needed."
        )
    told = int((rows["p"] <= LEVEL).sum())
    if is_exploratory(rows):
        return (
            f"Against {tables.other_truth} a difference is established for {told} of {count(len(rows), 'compared pair')} (adjusted p <= {LEVEL:g}). "
            f"This is exploratory: the declared comparison is against {tables.first_truth}."
        )
    return (
        f"The order of the methods is established for {told} of {count(len(rows), 'compared pair')} (adjusted p <= {LEVEL:g}); "
        "intervals of single methods, whether they overlap or not, are no such test."
    )


def compared_sentence(tables: Tables) -> list[str]:
    """Between how many methods the compared pairs are, and which contestants are in none of them; empty where all are in some.

    Args:
        tables: of the run.
    """
    rows, own = family_of(tables), tables.summary[tables.summary["against"].isna()]
    methods = {str(name) for name in [*rows["contestant"], *rows["against"]]}
    others = [name for name in dict.fromkeys(map(str, contestant_names(own).dropna())) if name not in methods]
    if not methods or not others:
        return []
    pairs = {frozenset(pair) for pair in rows[["contestant", "against"]].itertuples(index=False)}
    whole = ", each with each" if len(pairs) == len(methods) * (len(methods) - 1) // 2 else ""
    return [f"Compared were {count(len(methods), 'method')}{whole}; not compared: {listed(sorted(others))}."]


def _hopeless(family: pd.DataFrame) -> bool:
    """Whether no difference can be significant over so few prompts."""
    return least_p(int(family["prompts"].max())) > LEVEL


def _too_few(families: list[pd.DataFrame], begin: str) -> Iterator[str]:
    """One sentence on families of one metric, which differ in keep rate, and in prompts and pairs where a contestant failed."""
    if not families:
        return
    rows = pd.concat(families)
    prompts, pairs = int(rows["prompts"].max()), sorted({len(family) for family in families})
    each = (
        f"{pairs[0]} to {count(pairs[-1], 'pair')} each"
        if len(pairs) > 1
        else count(pairs[0], "pair") + " each" * (len(families) > 1)
    )
    yield (
        f"{begin}, {measured_in(rows)} ({each}, {count(prompts, 'prompt')}): no difference can be "
        f"significant. The smallest possible p is {least_p(prompts):.2g}; {needed_prompts(prompts)} prompts are needed."
    )


def _of_family(rows: pd.DataFrame, begin: str) -> Iterator[str]:
    prompts, pairs = int(rows["prompts"].max()), count(len(rows), "pair")
    begin = f"{begin}, {measured_in(rows)} ({pairs}, {count(prompts, 'prompt')})"
    found = rows[rows["p"] <= LEVEL]
    won = _established(found)
    if len(won) > 1:
        yield f"{begin}: {len(found)} of {len(rows)} differences are established; intervals of all are in summary.parquet."
        keep = rows["keep"].iloc[0]
        yield from (f"{'' if pd.isna(keep) else f'At {keep:g} % '}{each}." for each in won)
    else:
        none = f"no difference is established, the smallest p is {float(rows['p'].min()):.2g}"
        yield f"{begin}: {won[0] if won else none}."
    yield from _open(rows[~(rows["p"] <= LEVEL)], some=bool(won))
    yield from _could_be_seen(rows, prompts)


def measured_in(rows: pd.DataFrame) -> str:
    """``recall@10, mean over layers`` or ``loss at keep rate 10 %``: what the rows of one metric compare."""
    if pd.notna(rows["keep"].iloc[0]):
        rates = [f"{keep:g}" for keep in rows["keep"].unique()]
        return f"{rows['metric'].iloc[0]} at keep rate{'s' * (len(rates) > 1)} {listed(rates)} %"
    return measure_of(rows)


def _established(found: pd.DataFrame) -> list[str]:
    """For each contestant that is better than another one: than which, and by how much."""
    won: dict[str, list[dict[str, str]]] = {}
    for row in found.sort_values("p", kind="stable").to_dict("records"):
        first, second = row["contestant"], row["against"]
        winner, loser = (first, second) if better(row["metric"], row["value"]) else (second, first)
        won.setdefault(winner, []).append(row | {"loser": loser})
    return [
        f"{winner} is better than {_by_how_much(rows)}"
        for winner, rows in sorted(won.items(), key=lambda item: -len(item[1]))
    ]


def _by_how_much(rows: list[dict[str, str]]) -> str:
    rows = sorted(rows, key=lambda row: -abs(float(row["value"])))
    sizes = [abs(float(row["value"])) for row in rows]
    if len(rows) > SPELT:
        largest = max(float(row["p"]) for row in rows)
        losers = listed([row["loser"] for row in rows])
        return f"{losers}, by {sizes[0]:.3f} to {sizes[-1]:.3f} in this order (each p <= {largest:.2g})"
    each = [
        f"{row['loser']} by {size:.3f} {_interval_of_size(row)} (p = {float(row['p']):.2g})"
        for row, size in zip(rows, sizes, strict=True)
    ]
    return ", and than ".join(filter(None, [", than ".join(each[:-1]), each[-1]]))


def _interval_of_size(row: dict[str, str]) -> str:
    """The interval with the sign turned so that the difference is above 0."""
    low, high = float(row["low"]), float(row["high"])
    ends = (low, high) if float(row["value"]) > 0 else (-high, -low)
    return interval(*ends, digits=4 if abs(ends[0]) < ROUNDS_TO_ZERO else 3)


def _open(rows: pd.DataFrame, *, some: bool) -> Iterator[str]:
    if not some or rows.empty:
        return
    if len(rows) <= PAIRS:
        pairs = [f"{a} and {b}" for a, b in rows[["contestant", "against"]].itertuples(index=False)]
        yield f"Not established is a difference between {'; '.join(pairs)}."
    else:
        yield f"No difference is established in the other {len(rows)} pairs."


def _could_be_seen(rows: pd.DataFrame, prompts: int) -> Iterator[str]:
    sizes = detectable(rows).dropna()
    if sizes.empty:
        return
    least, most = f"{sizes.min():.3f}", f"{sizes.max():.3f}"
    span = f"about {least}" if least == most else f"{least} to {most}, depending on the pair,"
    yield f"With {count(prompts, 'prompt')} a true difference of {span} is found {MISSES}."
