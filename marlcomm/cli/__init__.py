"""The command line."""

from marlcomm.cli.program import console_script, main

__all__ = ["console_script", "main"]
