"""share_found and any_found, by hand."""

import pytest

from tokenrank.tasks.grading.containing import any_found, share_found


@pytest.mark.parametrize(
    ("answer", "references", "share"),
    [
        ("a 12, b 34", ["12", "34"], 1),
        ("A 12", ["12", "34", "56"], 1 / 3),
        ("größe ABC", ["GRÖSSE", "Größe", "abc"], 2 / 3),  # lower case only, no other folding
        ("112", ["12"], 1),  # part of a longer word counts
        ("1 2", ["12"], 0),
        ("", ["x"], 0),
    ],
)
def test_references_are_found_as_parts_of_the_answer(answer: str, references: list[str], share: float) -> None:
    assert share_found(answer, references) == pytest.approx(share)
    assert any_found(answer, references) == float(share > 0)
