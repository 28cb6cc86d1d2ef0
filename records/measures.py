"""Names of what is measured of contestants, which direction is better, and how reports call them; which k is the declared one."""

from collections.abc import Iterable

USUAL_K = 10.0  # percent
ACCURACY = "accuracy"  # what a task gives an answer
NEEDLE_KEPT = "needle_kept"
LOSS, KL = "loss", "kl"
# of the full prefill's answer under a pruned cache (tokenrank.metrics.answer_loss)
OF_ANSWER = ("logprob", LOSS, "loss_clipped", KL, "same_token", "departure")
REFERENCE = "reference_"  # in front of the same measures of the prompt's first reference answer
FIDELITY = (*OF_ANSWER, *(REFERENCE + name for name in OF_ANSWER))
RESULTS = (ACCURACY, *FIDELITY)  # contestants are compared in these, and close a gap
COSTS = {"flops": "flops_ratio", "kv_bytes": "kv_ratio"}  # name -> the same over the full prefill's

_LOWER = (LOSS, "loss_clipped", KL)
_SHARES = ("same_token",)
# the range that a measure can have, whatever its values are: in [0, 1], or in [-1, 1]; others are not limited
SHARES = frozenset(front + name for front in ("", REFERENCE) for name in _SHARES) | {
    "recall", "mass", "ndcg", "average_precision", "rbo", "needle_recall", "evidence_recall", "jaccard", ACCURACY, NEEDLE_KEPT,
}  # fmt: skip
CORRELATIONS = frozenset(("spearman", "kendall", "lds"))
LOWER_IS_BETTER = frozenset(front + name for front in ("", REFERENCE) for name in _LOWER)
UNBOUNDED = frozenset(FIDELITY) - {front + name for front in ("", REFERENCE) for name in _SHARES} | {
    "drop",
    "kept",
}  # may lie outside of [0, 1]
# what the full prefill has of itself in every prompt, whatever the prompt: a loss of 0, a ratio of 1
BY_DEFINITION = frozenset(front + name for front in ("", REFERENCE) for name in (*_LOWER, *_SHARES)) | {
    *COSTS.values(),
    NEEDLE_KEPT,
}

_LABELS = {
    "logprob": "log-probability of the answer, nats a token",
    LOSS: "loss of log-probability, nats a token",
    "loss_clipped": "loss of log-probability, each token's limited to 5 nats, nats a token",
    KL: "KL divergence from the full prefill, nats a token",
    "same_token": "share of tokens with the full prefill's greedy choice",
    "departure": "tokens before the first with another greedy choice",
}
LABELS = {
    ACCURACY: "accuracy",
    NEEDLE_KEPT: "share of the needle's tokens kept",
    "flops_ratio": "FLOPs of the prefill, over the full prefill's",
    "kv_ratio": "KV cache after the prefill, over the full prefill's",
    **_LABELS,
    **{REFERENCE + name: f"reference answer: {label}" for name, label in _LABELS.items()},
}


def better(metric: str, difference: float) -> bool:
    """Whether a contestant that has ``difference`` more of this measure than another is the better one.

    >>> better("accuracy", 0.1), better("reference_kl", 0.1)
    (True, False)
    """
    return difference < 0 if metric in LOWER_IS_BETTER else difference > 0


def declared_k(k: float | None, ks: Iterable[float]) -> float:
    """The k of the declared comparison, in percent: ``compare.k``; where that is null 10, or the first where 10 is none of the run's.

    >>> declared_k(5, [5, 10]), declared_k(None, [5, 10]), declared_k(None, [5, 20]), declared_k(None, [])
    (5.0, 10.0, 5.0, 10.0)
    """
    of_run = [float(each) for each in ks]
    return float(k) if k is not None else USUAL_K if USUAL_K in of_run or not of_run else of_run[0]
