"""Evaluation of policies: rollouts, scores, plots, videos and reports."""
