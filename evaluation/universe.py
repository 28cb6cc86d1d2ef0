"""The universe: which tokens of a prompt are ranked, and measured against the truth."""

from dataclasses import dataclass

from tokenrank.evaluation.setting_checks import check_whole
from tokenrank.tasks.task import Prompt

PROMPT, CONTEXT = "prompt", "context"
PARTS = (PROMPT, CONTEXT)  # values of ``of``


@dataclass(frozen=True)
class Universe:
    """The prompt or its context, in both cases without the prompt's last ``window`` tokens."""

    of: str = PROMPT  # prompt: all tokens; context: those of the text that the question is about
    window: int = 8  # last tokens of the prompt that are not ranked: window-based methods always keep them

    def __post_init__(self) -> None:
        if self.of not in PARTS:
            raise ValueError(f"universe.of is {self.of!r}, must be {' or '.join(PARTS)}")
        check_whole("universe.window", self.window, 0)

    def places(self, prompt: Prompt) -> range:
        """Positions of the ranked tokens, one at least; all of the prompt's evidence is among them.

        Raises:
            ValueError: no token is left, the context is needed and not known, or evidence lies outside.

        >>> one = Prompt("one", "mine", input_ids=(5, 6, 7, 8, 9), max_new_tokens=1, context=range(1, 4))
        >>> Universe(window=1).places(one), Universe("context", window=1).places(one), Universe("context", window=2).places(one)
        (range(0, 4), range(1, 4), range(1, 3))
        """
        tokens, whose = len(prompt.input_ids), f"prompt {prompt.id} of {prompt.task}"
        if tokens <= self.window:
            raise ValueError(
                f"universe.window={self.window} is not below the {tokens} tokens of {whose}: set universe.window lower, or leave the "
                "prompt out"
            )
        places = range(tokens - self.window)
        if self.of == CONTEXT:
            places = self._in_context(prompt, places, whose)
        self._check_evidence(prompt, places, whose)
        return places

    def _in_context(self, prompt: Prompt, ranked: range, whose: str) -> range:
        """The tokens of the context that are among the ranked ones."""
        if prompt.context is None:
            raise ValueError(
                f"universe=context, and the context of {whose} is not known: set universe=prompt, or leave the prompt out"
            )
        places = range(prompt.context.start, min(prompt.context.stop, ranked.stop))
        if not places:
            raise ValueError(
                f"universe=context leaves no token of {whose}: its context of {len(prompt.context)} tokens lies within the last "
                f"universe.window={self.window}; set universe.window lower, or leave the prompt out"
            )
        return places

    def _check_evidence(self, prompt: Prompt, places: range, whose: str) -> None:
        """Raises ValueError for evidence that is not ranked, if only in part."""
        out = next((each for each in prompt.evidence if each.start < places.start or each.stop > places.stop), None)
        if out is None:
            return
        evidence = f"the evidence of {whose}, tokens {out.start} to {out.stop - 1}"
        if out.stop > len(prompt.input_ids) - self.window:
            raise ValueError(
                f"universe.window={self.window} reaches into {evidence}: set it lower, or leave the prompt out"
            )
        raise ValueError(
            f"universe=context, and {evidence}, lies outside of its context, tokens {places.start} to {places.stop - 1}: set "
            "universe=prompt, or leave the prompt out"
        )
