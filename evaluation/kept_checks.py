"""Checks that every keep rate leaves a ranking something to choose."""

from typing import TYPE_CHECKING

from tokenrank.prefill.protection import BESIDE, WINDOW, WITHIN, kept_in_all, protected_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenrank.evaluation.plan import Plan
    from tokenrank.prefill.contestant import Contestant
    from tokenrank.tasks.task import Prompt


def check_kept(
    plan: "Plan", keep: list[float], protect: str, budget: str = WITHIN, prompts: "Sequence[Prompt] | None" = None
) -> None:
    """Checks the lowest keep rate against what always stays of each prompt.

    Args:
        plan: what is run; its first contestant is the full prefill.
        keep: keep rates in percent.
        protect: what always stays, as for ``protected_places``.
        budget: whether that counts in the keep rate, as for ``kept_in_all``.
        prompts: what is ranked of them; None: the plan's, whole.

    Raises:
        ValueError: a keep rate leaves no token beside what always stays of a prompt, or the prompt's context is needed and not known.
    """
    rate = min(keep)
    widest = max(plan.contestants[1:], key=lambda each: each.engine.window)
    for prompt in plan.prompts if prompts is None else prompts:
        always = len(protected_places(prompt, widest.engine.window, protect))
        kept = kept_in_all(rate, len(prompt.input_ids), always, budget)
        if kept <= always:
            raise ValueError(
                _nothing_left(prompt, widest, protect)
                if budget == BESIDE
                else _too_few(prompt, rate, kept, always, widest, protect)
            )


def _nothing_left(prompt: "Prompt", contestant: "Contestant", protect: str) -> str:
    window = contestant.engine.window
    return (
        f"prefill.protect={protect} always keeps all {len(prompt.input_ids)} tokens of prompt {prompt.id} of {prompt.task} "
        f"(the window of {contestant.name} is {window}), and prefill.budget={BESIDE} needs a token that is not protected: "
        f"{'set prefill.window lower' if protect == WINDOW else f'set prefill.protect={WINDOW}'}, or leave the prompt out"
    )


def _too_few(prompt: "Prompt", rate: float, kept: int, always: int, contestant: "Contestant", protect: str) -> str:
    window = contestant.engine.window
    these = f"prefill.keep holds {rate:g} percent: of the {len(prompt.input_ids)} tokens of prompt {prompt.id} these are {kept}, no more than"
    if protect == WINDOW:
        return f"{these} the window of {window} that {contestant.name} always keeps; keep more, or set prefill.window lower"
    return (
        f"{these} the {always} that prefill.protect={protect} always keeps (all tokens outside of the context, and the window of {window} "
        f"of {contestant.name}); keep more, or set prefill.protect={WINDOW} or prefill.budget={BESIDE}"
    )
