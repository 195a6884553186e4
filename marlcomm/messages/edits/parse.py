"""Edits by name, as the command line writes them."""

from __future__ import annotations

from collections.abc import Sequence

from marlcomm.messages.edits.edit import Edit, as_pytree
from marlcomm.named import load
from marlcomm.names import EDITS, edit_name
from marlcomm.validation import UsageError


def parse_edit(text: str) -> Edit:
    """The edit that `name`, `name:number` or `name:number,whole` stands for, such as `cut:0.8` or `silence`.

    Raises:
      ValueError: an unknown name, a missing or needless number, a number out of range, or an edit that cannot decide
        on whole messages.
    """
    name, colon, argument = edit_name(text), *text.partition(":")[1:]
    edit = EDITS[name]
    make = load(edit.make) if isinstance(edit.make, str) else edit.make
    if not edit.number:
        if colon:
            raise ValueError(f"edit {text!r}: {name} takes no number")
        return make()
    number, comma, word = argument.partition(",")
    if comma and (word != "whole" or not edit.whole):
        raise ValueError(f"edit {text!r}: {word!r} is nothing that {name} knows{' (whole is)' if edit.whole else ''}")
    try:
        value = int(number) if edit.integer else float(number)
    except ValueError:
        wanted = "a whole number" if edit.integer else "a number"
        raise ValueError(f"edit {text!r}: needs {wanted} after the colon, as in cut:0.8 or budget:2") from None
    try:
        return make(value, whole=True) if comma else make(value)
    except ValueError as error:
        raise ValueError(f"edit {text!r}: {error}") from None


def parse_edits(edits: Edit | str | Sequence[Edit | str]) -> list[Edit]:
    """Edits or their names, one or several, as edits. Raises as `parse_edit`, and where something is neither."""
    listed = edits if isinstance(edits, Sequence) and not isinstance(edits, str) else [edits]
    for edit in listed:
        if not isinstance(edit, str) and (isinstance(edit, type) or not callable(edit)):
            raise UsageError(f"edits={edits!r}: {edit!r} must be an edit or its name, such as Drop(0.5) or 'drop:0.5'")
    return [parse_edit(edit) if isinstance(edit, str) else as_pytree(edit) for edit in listed]
