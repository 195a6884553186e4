"""Measures of communication: what is sent, to whom, what it means and what return depends on it."""
