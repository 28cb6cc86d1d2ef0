"""Three ways to run LongBench: where too long a prompt is cut, how long an answer is, and how samsum's answers begin and end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.tokens import FinalText, added_tokens, cut_middle, final_ids, tokens_of

Finish = Callable[[str], FinalText]  # puts the chat template around a text, or nothing


@dataclass(frozen=True)
class Protocol:
    """How a LongBench prompt becomes tokens and how its answer is decoded."""

    cuts_text: bool  # the text is cut before the chat template is put around it; else the tokens of the whole prompt
    counts_added: bool = False  # special tokens that the tokenizer adds count in that cut
    lengths: Mapping[str, int] = field(default_factory=dict)  # tokens of an answer, in place of the file's
    one_line: tuple[
        str, ...
    ] = ()  # subsets whose answers do not begin with a line break or an end, and end at a line break

    def prompt_ids(
        self, tokenizer: Tokenizer, text: str, finish: Finish, limit: int, room: int
    ) -> tuple[list[int], int]:
        """Token ids of a prompt, and how many tokens were cut out of its middle.

        Args:
            tokenizer: the model's.
            text: worded by the subset's template.
            finish: puts the chat template around it, or nothing.
            limit: tokens of the text, or of the whole prompt where this is what is cut.
            room: tokens of the whole prompt, at most.

        Raises:
            ValueError: there is no room beside the chat template.
        """
        if not self.cuts_text:
            ids = final_ids(tokenizer, finish(text))
            kept = cut_middle(ids, min(limit, room))
            return kept, len(ids) - len(kept)
        while True:  # the text is tokenised anew after the cut, so that its length is known only then
            shortened, cut, tokens = self._cut(tokenizer, text, limit)
            ids = final_ids(tokenizer, finish(shortened))
            if len(ids) <= room:
                return ids, cut
            limit = min(limit, tokens) - (len(ids) - room)

    def stops(self, tokenizer: Tokenizer, subset: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tokens at which an answer ends beside the model's own end tokens, and tokens with which it may not begin."""
        if subset not in self.one_line:
            return (), ()
        line_break, end = tokens_of(tokenizer, "\n")[-1], tokenizer.eos_token_id
        return (line_break,), (line_break,) if end is None else (line_break, int(end))

    def _cut(self, tokenizer: Tokenizer, text: str, limit: int) -> tuple[str, int, int]:
        """The text without its middle, the number of tokens that were cut, and its tokens before."""
        before, after = added_tokens(tokenizer) if self.counts_added else ([], [])
        ids = before + tokens_of(tokenizer, text) + after
        if limit < 2:
            raise ValueError(
                f"the text of a prompt may have {limit} tokens beside the chat template, must be at least 2"
            )
        if len(ids) <= limit:
            return text, 0, len(ids)
        half = limit // 2
        ends = (tokenizer.decode(part, skip_special_tokens=True) for part in (ids[:half], ids[-half:]))
        return "".join(map(str, ends)), len(ids) - 2 * half, len(ids)


PROTOCOLS = {
    "tokenrank": Protocol(cuts_text=False),
    "longbench": Protocol(cuts_text=True, counts_added=True, one_line=("samsum",)),
    "paper": Protocol(cuts_text=True, lengths={"trec": 4}),
}
