"""A prompt in two: what is read before the question (prompts=agnostic), and the question with all that follows the context."""

from dataclasses import replace

from tokenrank.tasks.task import Prompt

AWARE, AGNOSTIC = "aware", "agnostic"
PROMPTS = (AWARE, AGNOSTIC)  # values of the setting ``prompts``


def check_prompts(prompts: str) -> None:
    """Raises ValueError for a value that the setting does not have."""
    if prompts not in PROMPTS:
        raise ValueError(f"prompts is {prompts!r}, must be {' or '.join(PROMPTS)}")


def before_question(prompt: Prompt) -> Prompt:
    """The prompt up to the end of its context, with the same id, context and evidence: all that is known before the question is.

    Raises:
        ValueError: context or question is not known, the question begins before the context ends, evidence lies behind the context, or
            nothing follows the context.

    >>> one = Prompt("one", "mine", input_ids=(5, 6, 7, 8, 9), max_new_tokens=1, context=range(1, 3), question=range(3, 4))
    >>> before_question(one).input_ids, after_context(one)
    ((5, 6, 7), (8, 9))
    """
    whose = f"prompt {prompt.id} of {prompt.task}"
    if prompt.context is None or prompt.question is None:
        part = "context" if prompt.context is None else "question"
        raise ValueError(
            f"prompts={AGNOSTIC} needs to know where the question begins, and the {part} of {whose} is not known: set prompts={AWARE}, or "
            "leave the prompt out"
        )
    stop, asked = prompt.context.stop, prompt.question.start
    if asked < stop:
        raise ValueError(
            f"prompts={AGNOSTIC} reads the context before the question, and the question of {whose} begins at token {asked}, before the "
            f"end of its context, token {stop - 1}: set prompts={AWARE}, or leave the prompt out"
        )
    if any(each.stop > stop for each in prompt.evidence):
        raise ValueError(
            f"prompts={AGNOSTIC} ranks the tokens up to the end of the context, and evidence of {whose} lies behind it: set "
            f"prompts={AWARE}, or leave the prompt out"
        )
    if not after_context(prompt):
        raise ValueError(
            f"prompts={AGNOSTIC} feeds what follows the context when the context was pruned, and nothing follows that of {whose}: set "
            f"prompts={AWARE}, or leave the prompt out"
        )
    return replace(prompt, input_ids=prompt.input_ids[:stop], question=None)


def after_context(prompt: Prompt) -> tuple[int, ...]:
    """The tokens that follow the context: the question, and the end of the template. Empty where the context is not known."""
    return () if prompt.context is None else prompt.input_ids[prompt.context.stop :]


def ranked_part(prompt: Prompt, prompts: str) -> Prompt:
    """What rankings see of a prompt: all of it, or with ``agnostic`` what is before the question.

    Raises:
        ValueError: as ``before_question``.
    """
    return before_question(prompt) if prompts == AGNOSTIC else prompt
