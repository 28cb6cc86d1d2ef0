"""Classification: cases worked by hand, classes contained in each other, and against a list that shrinks underfoot."""

import random

import pytest

from tokenrank.tasks.grading.classification import classification

PERSON = "Description of a person"


@pytest.mark.parametrize(
    ("prediction", "wanted"),
    [
        ("Animal", 1),
        ("It is an Animal, I think", 1),
        ("Animals", 1),
        ("Animal, Plant", 1 / 2),
        ("Plant Sport Animal Animal", 1 / 3),
        ("Plant", 0),
        ("animal", 0),
        ("", 0),
    ],
)
def test_it_is_one_over_the_classes_named(prediction: str, wanted: float) -> None:
    assert classification(prediction, "Animal", ["Plant", "Animal", "Sport"]) == pytest.approx(wanted)


def test_a_part_of_the_right_name_does_not_count() -> None:
    assert classification(PERSON, PERSON, ["Description", PERSON, "Food"]) == 1
    assert classification(PERSON, PERSON, [PERSON, "Description"]) == 1


def test_a_part_of_another_name_does_count() -> None:
    assert classification("Number of something", "Number", ["Number", "Number of something"]) == 1 / 2


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        (["Description", "person", PERSON], 1 / 2),  # the second is passed over
        (["Description", "person", "of", PERSON], 1 / 2),  # the third is looked at again
        (["Description", PERSON, "person"], 1),  # what is passed over is the right one
    ],
)
def test_the_name_after_one_taken_out_is_passed_over_as_in_longbench(classes: list[str], wanted: float) -> None:
    assert classification(PERSON, PERSON, classes) == wanted


def test_a_right_class_that_is_none_of_the_classes_is_never_found() -> None:
    assert classification("Animal", "Animal", ["Plant"]) == 0


def shrinking(prediction: str, answer: str, classes: list[str]) -> float:
    """Walks by place along the list out of which it takes."""
    named = [name for name in classes if name in prediction]
    place = 0
    while place < len(named):
        if named[place] in answer and named[place] != answer:
            del named[place]
        place += 1
    return named.count(answer) / len(named) if named else 0.0


def test_it_is_what_a_list_that_shrinks_underfoot_gives() -> None:
    draw = random.Random(0)
    passed_over = 0
    for _ in range(2000):
        classes = sorted({"".join(draw.choices("ab", k=draw.randrange(1, 4))) for _ in range(8)})
        prediction, answer = "".join(draw.choices("ab ", k=12)), draw.choice(classes)
        grade = classification(prediction, answer, classes)
        assert grade == pytest.approx(shrinking(prediction, answer, classes))
        named = {name for name in classes if name in prediction and (name == answer or name not in answer)}
        passed_over += grade not in (0, 1 / max(len(named), 1))
    assert passed_over > 100  # the draw would tell the two readings apart


def test_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="classes is empty"):
        classification("Animal", "Animal", ())
