"""The ground truth of token importance, computed from an answer; every ranking is compared with it."""
