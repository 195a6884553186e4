"""`python -m marlcomm` is the command line."""

from marlcomm.cli import console_script

console_script()
