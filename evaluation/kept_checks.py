"""Checks that every keep rate leaves a ranking something to choose."""

from typing import TYPE_CHECKING

from tokenrank.metrics.metric import tokens_kept
from tokenrank.prefill.protection import WINDOW, protected_places

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan
    from tokenrank.prefill.contestant import Contestant
    from tokenrank.tasks.task import Prompt


def check_kept(plan: "Plan", keep: list[float], protect: str) -> None:
    """Checks the lowest keep rate against what always stays of each prompt.

    Args:
        plan: what is run; its first contestant is the full prefill.
        keep: keep rates in percent.
        protect: what always stays, as for ``protected_places``.

    Raises:
        ValueError: a keep rate leaves no token beside what always stays of a prompt, or the prompt's context is needed and not known.
    """
    rate = min(keep)
    widest = max(plan.contestants[1:], key=lambda each: each.engine.window)
    for prompt in plan.prompts:
        always = len(protected_places(prompt, widest.engine.window, protect))
        kept = tokens_kept(rate, len(prompt.input_ids))
        if kept <= always:
            raise ValueError(_sentence(prompt, rate, kept, always, widest, protect))


def _sentence(prompt: "Prompt", rate: float, kept: int, always: int, contestant: "Contestant", protect: str) -> str:
    window = contestant.engine.window
    these = f"prefill.keep holds {rate:g} percent: of the {len(prompt.input_ids)} tokens of prompt {prompt.id} these are {kept}, no more than"
    if protect == WINDOW:
        return f"{these} the window of {window} that {contestant.name} always keeps; keep more, or set prefill.window lower"
    return (
        f"{these} the {always} that prefill.protect={protect} always keeps (all tokens outside of the context, and the window of {window} "
        f"of {contestant.name}); keep more, or set prefill.protect={WINDOW}"
    )
