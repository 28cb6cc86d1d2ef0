"""Sentences on declared comparisons: directions, intervals and open pairs."""

from tests.report.ranking_examples import Row, of_prompts, ranked
from tokenrank.report.rows.compared_pairs import family_of
from tokenrank.report.sentences.differences import compared_sentence, difference_sentences


def compared(first: str, second: str, value: float, p: float, **more: object) -> Row:
    """A declared comparison with an interval of +- 0.05."""
    ends = {"low": value - 0.05, "high": value + 0.05, "prompts": 20, "exploratory": False}
    return of_prompts(first, "recall", "mean", 10, value, against=second, p=p, **(ends | more))


def of(*rows: Row) -> list[str]:
    return difference_sentences(ranked(summary=rows))


def test_a_difference_is_said_from_the_better_one_with_its_interval_turned() -> None:
    said = of(compared("claa", "gemfilter", -0.2, 0.01), compared("claa", "tova", 0.01, 0.8))
    assert said[1] == (
        "Declared comparison, recall@10, mean over layers (2 pairs, 20 prompts): "
        "gemfilter is better than claa by 0.200 [0.150, 0.250] (p = 0.01)."
    )
    assert said[2] == "Not established is a difference between claa and tova."


def test_of_a_loss_less_is_better() -> None:
    row = compared("claa", "tova", -0.2, 0.01) | {"metric": "loss", "k": None, "keep": 20.0, "engine": "layerwise"}
    [_, found, *_] = of(row)
    assert "loss at keep rate 20 % (1 pair, 20 prompts): claa is better than tova by 0.200 [0.150, 0.250]" in found


def test_without_an_established_difference_the_smallest_p_is_said() -> None:
    said = of(compared("claa", "tova", 0.01, 0.8), compared("claa", "gemfilter", 0.04, 0.11))
    assert said[1].endswith("no difference is established, the smallest p is 0.11.")
    assert said[-1] == "A difference that is not established is no evidence of equality."
    assert not any("Not established" in each for each in said)


def test_many_defeats_are_summed_up_and_many_open_pairs_counted() -> None:
    losers = [compared("claa", f"m{number}", 0.1 + number / 100, 0.001) for number in range(5)]
    ties = [compared("m0", f"n{number}", 0.0, 1.0) for number in range(9)]
    said = of(*losers, *ties)
    assert "claa is better than m4, m3, m2, m1 and m0, by 0.140 to 0.100 in this order (each p <= 0.001)." in said[1]
    assert said[2] == "No difference is established in the other 9 pairs."


def test_several_winners_have_a_sentence_each() -> None:
    rows = [
        compared("claa", "tova", 0.2, 0.01),
        compared("claa", "snapkv", -0.1, 0.02),
        compared("snapkv", "tova", 0.3, 0.3),
    ]
    assert of(*rows)[1:4] == [
        "Declared comparison, recall@10, mean over layers (3 pairs, 20 prompts): 2 of 3 differences are established; "
        "intervals of all are in summary.parquet.",
        "claa is better than tova by 0.200 [0.150, 0.250] (p = 0.01).",
        "snapkv is better than claa by 0.100 [0.050, 0.150] (p = 0.02).",
    ]
    at_20 = {"metric": "loss", "k": None, "engine": "layerwise", "keep": 20.0}
    assert of(*(row | at_20 for row in rows))[2].startswith("At 20 % tova is better than claa by 0.200")


def test_five_prompts_can_show_nothing_and_six_can() -> None:
    few = of(compared("claa", "tova", 0.9, 0.0625, prompts=5, low=None, high=None))
    assert few[1].endswith("no difference can be significant. The smallest possible p is 0.062; 6 prompts are needed.")
    assert len(few) == 2
    assert "claa is better than tova" in of(compared("claa", "tova", 0.9, 0.03125, prompts=6))[1]


def test_too_few_prompts_are_said_once_for_all_keep_rates() -> None:
    few = {"low": None, "high": None, "prompts": 5, "metric": "loss", "k": None, "engine": "layerwise"}
    rows = [compared("claa", "tova", 0.9, 0.0625) | few | {"keep": keep} for keep in (10.0, 20.0, 40.0)]
    enough = rows[0] | {"keep": 80.0, "value": -0.9, "p": 0.01, "prompts": 6, "low": -1.0, "high": -0.8}
    tested, none, some, *_ = of(*rows, enough)
    assert "each keep rate is a family of its own." in tested
    assert none.startswith(
        "Declared comparison, loss at keep rates 10, 20 and 40 % (1 pair each, 5 prompts): no difference can"
    )
    assert some.startswith("Declared comparison, loss at keep rate 80 % (1 pair, 6 prompts): claa is better")


def test_exploratory_rows_are_left_out() -> None:
    tables = ranked(summary=[compared("claa", "tova", 0.9, 0.001, exploratory=True)])
    assert family_of(tables).empty
    assert difference_sentences(tables) == []


def test_who_was_compared_and_who_was_not_is_counted() -> None:
    means = [of_prompts(name, "recall", "mean", 10, 0.5) for name in ("claa", "tova", "snapkv", "sinks", "oracle")]
    pairs = [
        compared("claa", "tova", 0.1, 0.1),
        compared("claa", "snapkv", 0.1, 0.1),
        compared("tova", "snapkv", 0.1, 0.1),
    ]
    every = compared_sentence(ranked(summary=[*means, *pairs]))
    assert every == ["Compared were 3 methods, each with each; not compared: oracle and sinks."]
    some = compared_sentence(ranked(summary=[*means, *pairs[:2]]))
    assert some == ["Compared were 3 methods; not compared: oracle and sinks."]
    assert compared_sentence(ranked(summary=[*means[:3], *pairs])) == []
    assert compared_sentence(ranked(summary=means)) == []


def test_an_end_near_zero_is_not_rounded_to_it() -> None:
    [_, found, *_] = of(compared("claa", "tova", 0.0502, 0.049))
    assert "[0.0002, 0.1002]" in found


def test_what_could_be_seen_is_the_span_over_the_pairs() -> None:
    said = of(compared("claa", "tova", 0.0, 1.0), compared("claa", "gemfilter", 0.0, 1.0, low=-0.14, high=0.14))
    assert "With 20 prompts a true difference of 0.069 to 0.193, depending on the pair, is found" in said[2]
    alone = of(compared("claa", "tova", 0.0, 1.0))
    assert "a true difference of about 0.071 is found with power 0.8" in alone[2]
