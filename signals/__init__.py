"""Attention statistics that several heuristics, or heuristics and oracles, are computed from."""
