"""Parts: where context and question are in a filled template, and what a cut in the middle leaves of them."""

import pytest

from tokenrank.models.tiny import byte_tokenizer
from tokenrank.tasks.chat import Chat, final_text
from tokenrank.tasks.parts import Parts, worded
from tokenrank.tasks.tokens import FinalText, Piece, cut_middle


@pytest.mark.parametrize(
    "template", ["{context}", "a {{b}} {context}\n{input}c", "{input}{context}{{", "{input} {context} {input}", "none"]
)
@pytest.mark.parametrize(("context", "asked"), [("text {0} of }", "why"), ("", "why"), ("text", "")])
def test_a_filled_template_is_that_of_format_and_its_values_are_found(template: str, context: str, asked: str) -> None:
    text, places = worded(template, context=context, input=asked)
    assert text == template.format(context=context, input=asked)
    for name, value in (("context", context), ("input", asked)):
        once = template.count(f"{{{name}}}") == 1 and value
        assert (name in places) == bool(once)
        if once:
            assert text[places[name].start : places[name].stop] == value


@pytest.mark.parametrize("limit", range(1, 13))
@pytest.mark.parametrize("question", [range(0, 2), range(6, 8), range(9, 10), None])
def test_what_is_left_of_the_parts_is_what_is_left_of_their_tokens(limit: int, question: range | None) -> None:
    """Every token carries the name of its part through the cut."""
    context = range(2, 6)
    names = ["context" if at in context else "question" if at in (question or ()) else "frame" for at in range(10)]
    left = cut_middle(names, limit)  # type: ignore[arg-type]  # cuts any list
    found = Parts(context, question).without_middle(10, limit)
    for name, part in (("context", found.context), ("question", found.question)):
        assert [at for at, own in enumerate(left) if own == name] == list(part or ())
        assert part is None or part


def test_what_a_template_does_to_the_message_moves_its_parts() -> None:
    """Blanks at the ends are taken away; a message that is written twice has no place."""
    message = "  text why "
    parts = Parts(range(0, 6), range(7, 11))
    tokenizer = byte_tokenizer()
    for template, wanted in (
        ("<u>{{ messages[0]['content'] | trim }}</u>", ("text", "why")),
        ("<u>{{ messages[0]['content'] }}</u>", ("  text", "why ")),
        ("{{ messages[0]['content'] }}, {{ messages[0]['content'] }}", (None, None)),
    ):
        tokenizer.chat_template = template
        final = final_text(tokenizer, message, chat=Chat(), opening="So")
        found = final.place(parts)
        pieces = [part and final.text[part.start : part.stop] for part in (found.context, found.question)]
        assert tuple(pieces) == wanted
    bare = final_text(tokenizer, message, chat=None, opening="So")
    assert bare.place(parts) == parts
    assert FinalText((Piece(message),), bare=True).place(parts) == Parts()
