"""Classification: whether the answer names the right class and no other."""

from collections.abc import Sequence


def classification(prediction: str, answer: str, classes: Sequence[str]) -> float:
    """One divided by the number of classes that the prediction names, if the right one is among them, else 0.

    A class is named where its name is part of the prediction, upper and lower case told apart. Names that are only a
    part of the right one ("Description" in "Description of a person") do not count. LongBench takes these out of the
    list while it walks along it, and so passes over the one that follows each: a part that comes next after a part
    that was taken out does count. It is the same here, so that the numbers are.

    Args:
        prediction: what the model answered.
        answer: the right class; one that is not among ``classes`` is never found.
        classes: all names, in LongBench's order, each once.

    Returns:
        In [0, 1].

    Raises:
        ValueError: there are no classes.

    Source: LongBench's ``classification_score``, https://github.com/THUDM/LongBench/blob/main/LongBench/metrics.py.

    >>> classification("Animal or Plant", "Animal", ["Plant", "Sport", "Animal"])
    0.5
    """
    if not classes:
        raise ValueError("classes is empty, must hold the names to choose from")
    named: list[str] = []
    taken_out = False  # the name before this one
    for name in classes:
        if name in prediction:
            taken_out = not taken_out and name in answer and name != answer
            if not taken_out:
                named.append(name)
    return 1 / len(named) if answer in named else 0.0
