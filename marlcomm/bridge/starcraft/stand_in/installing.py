"""An installation as clients of StarCraft II expect it, with the stand-in as its binary and maps that hold nothing."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from marlcomm.bridge.starcraft.installation import BINARIES, STAND_IN_BUILD
from marlcomm.bridge.starcraft.map_files import FOLDERS, MAP_FILES, SUFFIX
from marlcomm.bridge.starcraft.stand_in.faults import Faults
from marlcomm.validation import UsageError

VERSION = f"Base{STAND_IN_BUILD:05}"
CONTENT = b"a map of the stand-in, which is not StarCraft II\n"


def install(folder: Path, faults: Path | None = None) -> Path:
    """Makes the folder, for SC2PATH.

    Args:
      folder: where.
      faults: a file of faults, one a line (see `faults`), that processes started from here commit once each.

    Returns:
      The folder, as an absolute path.

    Raises:
      UsageError: the folder holds something else, such as the game, whose maps would be lost; or something in the
        file is no fault.
    """
    folder = folder.expanduser().absolute()
    binary = folder / "Versions" / VERSION / BINARIES.get(sys.platform, "SC2_x64")
    maps = folder / "Maps" / FOLDERS[0]
    if not binary.exists() and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise UsageError(f"{folder} holds something else: name a folder that is empty, or not there yet")
    if faults is not None:
        Faults(file=faults)
    for each in (binary.parent, maps):
        each.mkdir(parents=True, exist_ok=True)
    place = Path(__file__).parents[4]  # of the package, which need not be installed
    words = [sys.executable, "-m", "marlcomm.bridge.starcraft.stand_in"]
    words += ["-faults", str(faults.absolute())] if faults else []
    binary.write_text(
        "#!/bin/sh\n# a stand-in, which is not StarCraft II\n"
        f"export PYTHONPATH={shlex.quote(str(place))}${{PYTHONPATH:+:$PYTHONPATH}}\n"
        f'exec {shlex.join(words)} "$@"\n'
    )
    binary.chmod(0o755)
    for file in MAP_FILES.values():
        (maps / f"{file.name}{SUFFIX}").write_bytes(CONTENT)
    return folder
