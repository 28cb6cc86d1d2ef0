"""How well a ranking agrees with the truth (importance from an answer, computed by an oracle): one formula, one file.

One tie rule for the whole project: of two tokens with equal scores, the earlier one is ranked first. Correlations follow
their own convention instead: tied tokens get their average rank.
"""
