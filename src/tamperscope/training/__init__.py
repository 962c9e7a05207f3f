"""Losses for training localizing networks."""
