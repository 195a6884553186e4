"""Matplotlib figures of what the measures found, one kind a file."""
