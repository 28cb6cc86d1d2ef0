"""Engines that run a prompt on its kept tokens only, so that the first token of the answer comes sooner."""
