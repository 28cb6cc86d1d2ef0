"""How well a ranking agrees with the oracle: one formula, one file.

One tie rule for the whole project: of two tokens with equal scores, the earlier one is ranked first. (Correlations,
which have a convention of their own, give tied tokens their average rank.)
"""
