"""What each token of a prompt adds to its text."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase as Tokenizer

UNFINISHED = "\ufffd"  # what tokenizers decode for some of a character's bytes
BYTES = 4  # of a character in UTF-8, at most


def token_texts(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """The text that each token adds to what is before it; a character that several tokens make belongs to the last of them.

    Special tokens are texts as any other.

    Args:
        tokenizer: of the model.
        ids: (tokens,) of a prompt.

    Returns:
        As many texts; some may be empty.
    """

    def decoded(first: int, stop: int) -> str:
        return str(tokenizer.decode(list(ids[first:stop]), clean_up_tokenization_spaces=False))

    texts: list[str] = []
    context, begun = 0, 0  # first tokens of what was added last, and of what has not been added yet
    for stop in range(1, len(ids) + 1):
        before, now = decoded(context, begun), decoded(context, stop)
        if now.endswith(UNFINISHED) and stop - begun < BYTES and stop < len(ids):
            texts.append("")
            continue
        texts.append(now[len(before) :])
        context, begun = begun, stop
    return texts
