"""Three ways to run LongBench: where too long a prompt is cut, how long an answer is, and how samsum's answers begin and end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.layout import Layout, final_layout, piece_layout
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.tokens import FinalText, Piece, added_tokens, cut_middle, tokens_of

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
        self, tokenizer: Tokenizer, text: str, parts: Parts, finish: Finish, limit: int, room: int
    ) -> tuple[list[int], Parts, int]:
        """Token ids of a prompt, the positions of its parts, and how many tokens were cut out of its middle.

        Args:
            tokenizer: the model's.
            text: worded by the subset's template.
            parts: of the text, in characters.
            finish: puts the chat template around a text, or nothing.
            limit: tokens of the text, or of the whole prompt where this is what is cut.
            room: tokens of the whole prompt, at most.

        Raises:
            ValueError: there is no room beside the chat template.
        """
        if not self.cuts_text:
            final = finish(text)
            layout, limit = final_layout(tokenizer, final), min(limit, room)
            ids, found = layout.ids, layout.tokens(final.place(parts))
            kept = cut_middle(ids, limit)
            return kept, found.without_middle(len(ids), limit), len(ids) - len(kept)
        whole = self._whole(tokenizer, text)
        tokens = len(whole.ids)
        while True:  # the text is tokenised anew after the cut, so that its length is known only then
            if limit < 2:
                raise ValueError(
                    f"the text of a prompt may have {limit} tokens beside the chat template, must be at least 2"
                )
            cut = Halves(whole, limit // 2) if tokens > limit else None
            final = finish(cut.text if cut else text)
            layout = final_layout(tokenizer, final)
            if len(layout.ids) <= room:
                found = layout.tokens(final.place(parts.moved(cut.place) if cut else parts))
                return layout.ids, found, cut.removed if cut else 0
            limit = min(limit, tokens) - (len(layout.ids) - room)

    def stops(self, tokenizer: Tokenizer, subset: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tokens at which an answer ends beside the model's own end tokens, and tokens with which it may not begin."""
        if subset not in self.one_line:
            return (), ()
        line_break, end = tokens_of(tokenizer, "\n")[-1], tokenizer.eos_token_id
        return (line_break,), (line_break,) if end is None else (line_break, int(end))

    def _whole(self, tokenizer: Tokenizer, text: str) -> Layout:
        """The layout of the text before the cut, a document's, with the special tokens that count in it."""
        before, after = added_tokens(tokenizer) if self.counts_added else ([], [])
        return replace(piece_layout(tokenizer, (Piece(text),)), before=tuple(before), after=tuple(after))


@dataclass(frozen=True)
class Halves:
    """The first and the last ``half`` tokens of a text, turned back into text and joined; special tokens are left out."""

    whole: Layout
    half: int

    @property
    def removed(self) -> int:
        """Tokens between the two."""
        return len(self.whole.ids) - 2 * self.half

    @cached_property
    def text(self) -> str:
        """The joined text."""
        return self._decoded(0, self.half) + self._decoded(-self.half, None)

    def place(self, at: int) -> int:
        """Where a place between characters of the whole text is in the joined text; where the halves meet if it was cut out."""
        border, _ = self.whole.around(at)
        inside, first, last = at - border.character, len(self._decoded(0, self.half)), len(self.whole.ids) - self.half
        if border.token < self.half:
            return min(first, len(self._decoded(0, border.token)) + inside)
        if border.token < last:
            return first
        return min(len(self.text), first + len(self._decoded(last, border.token)) + inside)

    def _decoded(self, first: int, last: int | None) -> str:
        return str(self.whole.tokenizer.decode(self.whole.ids[first:last], skip_special_tokens=True))


PROTOCOLS = {
    "tokenrank": Protocol(cuts_text=False),
    "longbench": Protocol(cuts_text=True, counts_added=True, one_line=("samsum",)),
    "paper": Protocol(cuts_text=True, lengths={"trec": 4}),
}
