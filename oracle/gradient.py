"""Attention x gradient: which of the answer's attention raises its own log-probability?"""

from dataclasses import dataclass

from tokenrank.oracle.oracle import AnsweredPrompt, Oracle, OracleNeeds, Truth
from tokenrank.signals.attention_gradient import attention_times_gradient


@dataclass(frozen=True)
class GradientOracle(Oracle):
    """Importance of a token: the share of the answer's log-probability that its attention carries, to first order.

        importance(n) = sum over layers l, heads h and answer tokens t of max(0, A[l,h,t,n] * d logp / d A[l,h,t,n])

    logp is the sum of the log-probabilities of the answer's tokens, A the attention of the queries that predict them. Backward runs
    through the answer's rows on the prompt's cache.

    Cost: a third of a prefill of 600 tokens for an answer of 24, less of longer prompts. Memory: a float32 copy of the prompt's keys and
    values, and layers * heads * T * tokens values of attention; it is checked before.

    Source: gradient x attention as in Chefer et al. 2021, https://arxiv.org/abs/2103.15679 (there averaged over heads and multiplied
    through the layers). Departures: summed over heads and layers, and through the answer's queries alone.
    """

    @property
    def needs(self) -> OracleNeeds:
        """The answer on the prompt's cache."""
        return OracleNeeds(layers=False, passes=True)

    def truth(self, answered: AnsweredPrompt) -> Truth:
        """Importance in nats, at least 0, (1, tokens).

        Raises:
            ValueError: not enough memory is free, or a model with a state of all tokens together.
        """
        return Truth(attention_times_gradient(answered.needed_passes())[None])
