"""Texts to token ids: chat template, special tokens, truncation in the middle."""

from transformers import PreTrainedTokenizerBase as Tokenizer


def chat(tokenizer: Tokenizer, message: str) -> str:
    """The message as the user's turn in the model's chat template, with the generation prompt of the assistant.

    Raises:
        ValueError: the tokenizer has no chat template, or it fails.
    """
    if not tokenizer.chat_template:
        raise ValueError("the model has no chat template: choose one that has, or set chat_template to false")
    turns = [{"role": "user", "content": message}]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # the template is a program of the model's authors
        raise ValueError(f"the model's chat template cannot be applied: {error}") from error


def final_text(tokenizer: Tokenizer, message: str, *, as_chat: bool, opening: str = "") -> str:
    """The final text of a prompt.

    Args:
        tokenizer: the model's.
        message: the user's message.
        as_chat: whether to apply the model's chat template.
        opening: first words of the answer, which the model continues; on a new line where there is no chat template.

    Raises:
        ValueError: no chat template.
    """
    if as_chat:
        return chat(tokenizer, message) + opening
    return f"{message}\n{opening}" if opening else message


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a final text, with the special tokens that the tokenizer adds, unless the text starts with them."""
    start = tokenizer.bos_token
    written = start is not None and text.startswith(start)
    return list(tokenizer(text, add_special_tokens=not written, verbose=False)["input_ids"])


def tokens_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a piece of text, without special tokens."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def fitted(
    tokenizer: Tokenizer, text: str, *, as_chat: bool, limit: int, opening: str = ""
) -> tuple[tuple[int, ...], int]:
    """The tokens of a text (as in ``final_text``), truncated in the middle to ``limit`` tokens, and the number of removed tokens.

    Raises:
        ValueError: the limit is below 1, or no chat template.
    """
    ids = encode(tokenizer, final_text(tokenizer, text, as_chat=as_chat, opening=opening))
    kept = cut_middle(ids, limit)
    return tuple(kept), len(ids) - len(kept)


def cut_middle(ids: list[int], limit: int) -> list[int]:
    """Truncates to ``limit`` tokens by removing the middle; start and end stay.

    >>> cut_middle([0, 1, 2, 3, 4, 5, 6], 4)
    [0, 1, 5, 6]
    """
    if limit < 1:
        raise ValueError(f"the prompt may have {limit} tokens, must be at least 1")
    if len(ids) <= limit:
        return ids
    head = limit // 2
    return ids[:head] + ids[len(ids) - (limit - head) :]
