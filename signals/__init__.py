"""What oracles and heuristics share: window attention, smoothing, the look back of an answer."""
