"""Prompts, their reference answers, and how an answer is graded."""
