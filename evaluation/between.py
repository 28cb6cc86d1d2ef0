"""What a metric says between every two layers: a mean over the samples, taken while they pass."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

from torch import Tensor

from tokenrank.evaluation.measuring import Key, MarkedRow, Measured


class BetweenLayers:
    """Sums of (layers, layers) matrices, one for each heuristic, metric and k, however many the samples are."""

    def __init__(self) -> None:
        self._sums: dict[Key, Tensor] = {}
        self._samples: Counter[Key] = Counter()
        self._layers: Sequence[int] = ()
        self._windowed: Collection[int] = ()

    def add(self, sample: Measured) -> None:
        """Counts one sample in; all are of one model, so their layers are the same."""
        self._layers, self._windowed = sample.layers, sample.windowed
        for key, matrix in sample.between.items():
            self._sums[key] = self._sums[key] + matrix if key in self._sums else matrix
            self._samples[key] += 1

    def rows(self) -> Iterator[MarkedRow]:
        """The mean over samples for each two layers, the smaller number first; the other half would say the same."""
        for (heuristic, metric, percent), total in self._sums.items():
            means = (total / self._samples[heuristic, metric, percent]).tolist()
            for (a, layer), (b, other) in combinations(enumerate(self._layers), 2):
                yield heuristic, layer, f"{metric}.between", percent, means[a][b], layer in self._windowed, other
