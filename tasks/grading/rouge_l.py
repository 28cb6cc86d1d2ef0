"""ROUGE-L: longest common subsequences of words between a summary and a reference."""


def rouge_l(prediction: str, answer: str) -> float:
    """F1 of the words in longest common subsequences of the prediction's and the reference's sentences.

    This is the summary level of the package ``rouge`` 1.0.1, which LongBench calls. Sentences end at every full stop,
    also at that of "3.5"; words are what white space divides, upper and lower case and punctuation told apart. Each
    sentence of the answer is compared with each of the prediction, and the words found are put together in one set:
    a word counts once, however often it occurs. A sentence that is white space only counts as one empty word.

    Of the package there has been no release since 2021. It needs a level of recursion a word, so that two sentences
    of together about 1,000 words can break it, which LongBench counts as 0; here they get their grade. The package also
    adds 1e-8 below the fraction bar, at most 5e-9 in the result; here an answer has exactly 1 against itself.
    The package ``rouge-score`` gives other numbers: it counts a word as often as it occurs, drops case and
    punctuation, and ends sentences at line breaks or not at all.

    Args:
        prediction: what the model answered.
        answer: the right summary.

    Returns:
        In [0, 1]; 0 where either is empty or holds full stops only.

    Source: Lin 2004, https://aclanthology.org/W04-1013, as https://github.com/pltrdy/rouge has it.

    >>> rouge_l("a cat sat. it slept", "the cat sat")
    0.5
    """
    said, right = _sentences(prediction), _sentences(answer)
    if not said or not right:
        return 0.0
    common: set[str] = set()
    for sentence in right:
        for other in said:
            common |= _common_words(sentence, other)
    words = [len(set().union(*sentences)) for sentences in (said, right)]
    return 2 * len(common) / sum(words)


def _sentences(text: str) -> list[list[str]]:
    """Words of each sentence, never none: white space between two full stops is one empty word."""
    return [part.split() or [""] for part in text.split(".") if part]


def _common_words(right: list[str], said: list[str]) -> set[str]:
    """Words of one longest common subsequence; of several, the one that ``rouge`` finds.

    A row of the table of lengths grows by 0 or 1 from place to place, so that one bit a place holds it, and addition
    makes the next row out of it.

    Source: Crochemore et al. 2001, https://doi.org/10.1016/S0020-0190(01)00182-X.
    """
    places: dict[str, int] = {}  # bit j: the word stands at place j of `said`
    for j, word in enumerate(said):
        places[word] = places.get(word, 0) | 1 << j
    row = full = (1 << len(said)) - 1
    rows = []  # bit j of row i: word j of `said` makes no longer what is common with right[: i + 1]
    for word in right:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & full
        rows.append(row)
    words: set[str] = set()
    i, j = len(right) - 1, len(said) - 1
    while i >= 0 and j >= 0:
        if right[i] == said[j]:
            words.add(right[i])
            i, j = i - 1, j - 1
        elif rows[i] >> j & 1:
            j -= 1
        else:
            i -= 1
    return words
