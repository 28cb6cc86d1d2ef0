"""Tokens on a terminal: marks or colours, lines that fit, and nothing that a terminal would obey."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from tokenrank.report.page.levels import ALWAYS, FOUND, MISSED, NOTHING, WRONG
from tokenrank.report.page.token_text import Letter, counts, shown
from tokenrank.report.page.token_view import TokenView

CODES = re.compile(r"\x1b\[[\d;]*m")


def made(
    texts: Sequence[str], kinds: Sequence[int], evidence: Sequence[range] = (), answer: str | None = "yes"
) -> TokenView:
    return TokenView("s: claa at layer 1", texts, np.array(kinds), evidence, frozenset(), [("answer", answer)])


def prompt(found: TokenView, width: int = 80, *, colours: bool = False) -> str:
    """The paragraph behind heading and legend."""
    return shown(found, width, colours=colours).split("\n\n")[2]


SIX = made([" a", " b", " c", " d", " e", " f"], [FOUND, FOUND, MISSED, NOTHING, WRONG, NOTHING], [range(2, 4)])


def test_without_colours_marks_stand_around_runs_of_tokens_of_a_kind() -> None:
    assert prompt(SIX) == "[= a b]<<[- c] d>>[+ e] f"
    assert "\x1b" not in shown(SIX, 80, colours=False)
    assert shown(SIX, 80, colours=False).splitlines()[2] == "[=found]  [-missed]  [+wrongly kept]  <<evidence>>"


def test_every_span_of_the_evidence_has_marks_of_its_own() -> None:
    found = made(
        [" a", " b", " c", " d", " e"], [NOTHING, FOUND, NOTHING, MISSED, NOTHING], [range(2), range(2, 3), range(4, 5)]
    )
    assert prompt(found) == "<< a[= b]>><< c>>[- d]<< e>>"
    assert counts(found).endswith("of the evidence's 4 tokens in 3 spans 1 kept")
    underlined = [each.count("\x1b") for each in prompt(found, colours=True).split(" d")]
    assert underlined == [7, 3]


def test_colours_say_the_same_and_end_with_every_line() -> None:
    text = shown(SIX, 80, colours=True)
    assert prompt(SIX, colours=True) == (
        "\x1b[30;42m a b\x1b[0m\x1b[30;43;4m c\x1b[0m\x1b[4m d\x1b[0m\x1b[97;45m e\x1b[0m f"
    )
    for line in text.splitlines():
        codes = CODES.findall(line)
        assert codes[1::2] == ["\x1b[0m"] * (len(codes) // 2)
        assert "\x1b[0m" not in codes[::2]
    assert CODES.sub("", prompt(SIX, colours=True)) == " a b c d e f"


def test_the_counts_are_those_of_the_tokens() -> None:
    assert counts(SIX) == (
        "found 2 of the truth's best 3 (recall 0.6667), missed 1,\nwrongly kept 1; of the evidence's 2 tokens 0 kept"
    )
    assert "evidence" not in counts(made(["a"], [FOUND]))


@pytest.mark.parametrize("colours", [True, False])
def test_a_hostile_prompt_sends_no_code_and_hides_nothing(colours: bool) -> None:
    texts = ["\x1b]0;title\x07", "\x1b[2J", "a\x9b31mb", "\u202e\u2066", "c\rd", "\ud800", "\x00\x7f\u2028"]
    found = made(texts, [FOUND, NOTHING, WRONG, NOTHING, MISSED, NOTHING, NOTHING], answer="\x1b[31m".join("yes"))
    text = CODES.sub("", shown(found, 80, colours=colours)) if colours else shown(found, 80, colours=False)
    assert all(each == "\n" or each.isprintable() for each in text)
    for escape in (r"\x1b]0;title\x07", r"\x1b[2J", r"\x9b31m", r"\u202e\u2066", r"c\rd", r"\ud800", r"\x00\x7f\u2028"):
        assert escape in text.replace("\n", "")
    assert r"y\x1b[31me" in text
    text.encode()


@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize("width", [20, 33, 80])
def test_lines_fit_and_no_letter_is_lost(colours: bool, width: int) -> None:
    words = ["a word", " of", " several", "x" * 90, " 東京東京東京", "\n", "end"] * 5
    found = made(words, [place % 4 for place in range(len(words))], [range(3, 9)])
    lines = prompt(found, width, colours=colours).splitlines()
    assert max(sum(Letter(each).width for each in CODES.sub("", line)) for line in lines) <= width
    if colours:
        shown_letters = "".join(CODES.sub("", line) for line in lines).replace("\\n", "")
        assert shown_letters == "".join(words).replace("\n", "")


def test_a_line_break_that_has_a_kind_is_shown() -> None:
    assert prompt(made(["a", "\n", "b"], [NOTHING, MISSED, NOTHING])) == "a[-\\n\n]b"
    assert prompt(made(["a", "\n", "b"], [NOTHING, NOTHING, FOUND])) == "a\n[=b]"


def test_an_answer_that_was_not_kept_is_said() -> None:
    assert shown(made(["a"], [FOUND], answer=None), 80, colours=False).endswith("answer: the run keeps none")


def test_what_is_kept_in_any_case_is_marked_and_not_counted() -> None:
    found = made([" a", " b", " c", "\n", " d"], [FOUND, NOTHING, ALWAYS, ALWAYS, MISSED], [range(2, 3)])
    assert "[*always kept, not judged]" in shown(found, 80, colours=False)
    assert prompt(found) == "[= a] b<<[* c]>>[*\\n\n][- d]"
    assert "always" not in shown(SIX, 80, colours=False)
    assert counts(found) == (
        "found 1 of the truth's best 2 (recall 0.5000), missed 1,\nwrongly kept 0; of the evidence's 1 tokens 1 kept"
    )
    nothing = counts(made([" a", " b"], [ALWAYS, NOTHING]))
    assert nothing == "found 0 of the truth's best 0, missed 0,\nwrongly kept 0"
