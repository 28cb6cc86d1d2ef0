"""From a run folder to plots, printed tables and a copy in Weights & Biases; imports tokenrank.records and nothing else of ours."""
