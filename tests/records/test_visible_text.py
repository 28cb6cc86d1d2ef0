"""What a terminal would obey, hide or reorder is escaped; words and emoji of all languages stay."""

import logging

import pytest

from tokenrank.planning.ending import end
from tokenrank.records.messages import messages_to_terminal
from tokenrank.records.visible_text import say, visible

HOSTILE = "no \x1b]0;pwned\x07\x1b[2J\u202e\x9b31m"


def test_letters_of_all_languages_stay() -> None:
    assert visible("Grüße 東京 नमस्ते\n\t") == "Grüße 東京 नमस्ते\n\t"


@pytest.mark.parametrize(
    "hidden", ["\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180e", "\u180f", "\u200b", "\u200d", "\u2800", "\u3164", "\ufe0f", "\uffa0", "\U000e0141", "\xad"]
)  # fmt: skip
def test_letters_that_nobody_sees_are_escaped(hidden: str) -> None:
    escape = hidden.encode("unicode_escape").decode()
    for text in ("{}", "a{}b", " {}", "{}\u0915"):  # "\u0915": a letter of Hindi
        assert visible(text.format(hidden)) == text.format(escape)
    assert visible("\u2764" + hidden * 3).endswith(escape * 2)


@pytest.mark.parametrize("text", ["क्‍ष", "می‌خواهم", "❤\ufe0f\u200d🔥", "👩\u200d💻", "👩🏽\u200d🚀"])
def test_joiners_and_selectors_within_words_and_emoji_stay(text: str) -> None:
    assert visible(text) == text


def test_nothing_that_a_terminal_obeys_is_printed_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    messages_to_terminal()
    logging.getLogger("tokenrank").warning(HOSTILE)
    with pytest.raises(SystemExit):
        end(ValueError(HOSTILE), traceback=False)
    said = capsys.readouterr().err
    assert said.count(r"no \x1b]0;pwned\x07\x1b[2J\u202e\x9b31m") == 3
    assert all(each == "\n" or each.isprintable() for each in said)
