"""Makes a plan from a config: what will be run, checked without loading weights."""
