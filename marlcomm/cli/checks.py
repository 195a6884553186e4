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


def check_page(path: Path) -> Path:
    """`path`, where an HTML file can be written; its folder is made if need be. Raises UsageError where none can."""
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder: name the page in it, such as --out {path / 'inspection.html'}")
    if path.suffix != ".html":
        raise UsageError(f"--out {path}: the page is HTML: name it so, such as --out {path.with_suffix('.html')}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        path.open("ab").close()
    except OSError as error:
        raise UsageError(
            f"cannot write to {path}: {error.strerror}. Choose another place for the page, --out PAGE.html"
        ) from None
    if new:
        path.unlink()
    return path
