"""One folder of arrays and facts as orbax writes it, with what orbax needs around it: a path that it can take, and
quiet where it fails."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as orbax

from marlcomm.validation import first_line

LARGE = 2**20  # bytes of an array that is not looked back at
MISREAD = frozenset("[]*?\\")  # characters of a path that orbax takes for a pattern, or tensorstore for a separator


def write(folder: Path, state: Any, facts: dict[str, Any]) -> None:
    """Writes arrays and JSON facts into a folder that does not exist yet; returns when they are on disk.

    Raises:
      OSError: they could not be written.
    """
    arguments = orbax.args.Composite(state=orbax.args.PyTreeSave(state), facts=orbax.args.JsonSave(facts))
    try:
        with _path_for_orbax(folder) as path:
            _whole(_without_copies()).save(path, args=arguments, force=True)
    except (ValueError, RuntimeError) as error:  # tensorstore's own words for a full disk
        raise _as_os_error(error, folder) from None


def read(folder: Path, template: Any) -> tuple[Any, dict[str, Any]]:
    """Arrays as in `template` (shapes and types), and the facts. Raises whatever damage makes the reader raise."""
    arguments = orbax.args.Composite(state=orbax.args.StandardRestore(template), facts=orbax.args.JsonRestore())
    with _path_for_orbax(folder) as path:
        restored = _whole().restore(path, args=arguments)
    return jax.tree.map(np.asarray, restored["state"]), dict(restored["facts"])


def look_back(folder: Path, state: Any) -> None:
    """Reads the small arrays back, and with them the table of all.

    Raises:
      OSError: they are not what was written.
    """
    asked = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if x.nbytes < LARGE else orbax.PLACEHOLDER, state
    )
    try:
        with _path_for_orbax(folder) as path:
            alone = _alone()
            handler = orbax.PyTreeCheckpointHandler(multiprocessing_options=alone)
            reader = orbax.Checkpointer(handler, multiprocessing_options=alone)
            found = reader.restore(path / "state", args=orbax.args.PyTreeRestore(item=asked))
    except Exception as error:  # whatever a missing or torn file makes the reader raise
        raise OSError(f"{folder} cannot be read back: {first_line(error)}") from None
    for written, read_back in zip(jax.tree.leaves(state), jax.tree.leaves(found), strict=True):
        if read_back is not orbax.PLACEHOLDER and np.asarray(read_back).tobytes() != written.tobytes():
            raise OSError(f"{folder} cannot be read back: other numbers than were written")


def _whole(state: orbax.CheckpointHandler | None = None) -> orbax.Checkpointer:
    """What reads and writes folders; arrays by a handler of their own, if there is one."""
    _quiet()
    alone = _alone()
    composite = orbax.CompositeOptions(multiprocessing_options=alone)
    parts = {}
    if state is not None:
        parts = {"state": state, "facts": orbax.JsonCheckpointHandler(multiprocessing_options=alone)}
    handler = orbax.CompositeCheckpointHandler(composite_options=composite, **parts)
    return orbax.Checkpointer(handler, multiprocessing_options=alone)


def _without_copies() -> orbax.PyTreeCheckpointHandler:
    """Writes numpy arrays as they are: nothing changes them meanwhile, and memory may not hold a copy of a replay."""
    _quiet()
    as_they_are = orbax.type_handlers.NumpyHandler(deepcopy_host_arrays=False)
    handlers = orbax.type_handlers.create_type_handler_registry((np.ndarray, as_they_are))
    return orbax.PyTreeCheckpointHandler(type_handler_registry=handlers, multiprocessing_options=_alone())


def _alone() -> orbax.options.MultiprocessingOptions:
    """That this process waits for no other one: where several train together, only one keeps checkpoints."""
    if jax.process_count() == 1:
        return orbax.options.MultiprocessingOptions()
    own = jax.process_index()
    return orbax.options.MultiprocessingOptions(own, active_processes={own}, barrier_sync_key_prefix=f"process_{own}")


@contextlib.contextmanager
def _path_for_orbax(folder: Path) -> Iterator[Path]:
    """The folder under a name that orbax can take: through a link where the path itself would be misread."""
    if not MISREAD & set(folder.as_posix()):
        yield folder
        return
    with tempfile.TemporaryDirectory() as short:
        link = Path(short) / "run"
        link.symlink_to(folder.parent, target_is_directory=True)
        yield link / folder.name


def _as_os_error(error: Exception, folder: Path) -> OSError:
    code = re.search(r"(?:os_error_code='|OS error )(\d+)", str(error))
    if code is None:
        return OSError(f"{folder} could not be written: {first_line(error)}")
    return OSError(int(code[1]), os.strerror(int(code[1])), str(folder))


@functools.cache
def _quiet() -> None:
    """Keeps what orbax and tensorstore print about an error to themselves: the error itself is raised, and said once.

    After an error some arrays are still under way; each of them finds the loop closed that was to take it.
    """
    logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)
    logging.getLogger("asyncio").addFilter(lambda record: "tensorstore" not in record.getMessage())
    before = sys.unraisablehook

    def unheard(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            before(unraisable)

    sys.unraisablehook = unheard
