"""Log-odds of an answer's tokens, which do not saturate where a token is all but certain."""

import torch
from torch import Tensor


def log_odds(logits: Tensor, ids: Tensor) -> Tensor:
    """Log p - log(1 - p) of each token, in float32, computed without p: the token's logit less the log-sum-exp of all others.

    Args:
        logits: (T, vocabulary) of any float type.
        ids: (T,) int64.

    Returns:
        (T,) float32 in nats; 0 for a probability of 1/2.

    >>> log_odds(torch.tensor([[0.0, 0.0, 0.0], [100.0, 99.0, 0.0]]), torch.tensor([2, 0]))
    tensor([-0.6931,  1.0000])
    """
    logits, places = logits.float(), ids[:, None].to(logits.device)
    own = logits.gather(1, places)
    others = logits.scatter(1, places, -torch.inf).logsumexp(dim=1)
    return own[:, 0] - others
