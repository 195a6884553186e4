"""What can be said of files and folders before JAX is imported and anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marlcomm.names import edit_name
from marlcomm.validation import UsageError


def check_run(run: Path, edits: Sequence[str] = ()) -> None:
    """Raises UsageError where there is no run, or an edit has no such name."""
    if not (run / "config.json").is_file():
        raise UsageError(f"{run.absolute()} is not a run folder: it has no config.json")
    for edit in edits:
        edit_name(edit)


def check_out(path: Path, what: str, suffixes: Sequence[str]) -> Path:
    """`path`, where a file can be written; its folder is made if need be.

    Args:
      path: of the file.
      what: it is, such as "page".
      suffixes: one of which it must have, the usual one first.

    Raises:
      UsageError: it is a folder, has another suffix, or cannot be written.
    """
    usual = path.with_suffix(suffixes[0]) if path.name else path
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder: name the {what} in it, such as --out {path / what}{suffixes[0]}")
    if path.suffix not in suffixes:
        listed = " or ".join(suffixes)
        raise UsageError(f"--out {path}: the {what} must end in {listed}, not {path.suffix!r}: such as --out {usual}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        path.open("ab").close()
    except OSError as error:
        example = f"{what.upper()}{suffixes[0]}"
        raise UsageError(
            f"cannot write to {path}: {error.strerror}. Choose another place for the {what}, --out {example}"
        ) from None
    if new:
        path.unlink()
    return path
