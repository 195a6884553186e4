"""What runs in place of the game's binary; or, with one folder as its argument, makes an installation of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Serves with the game's own arguments, or installs into a folder."""
    if len(words) == 1 and not words[0].startswith("-"):
        from marlcomm.bridge.starcraft.stand_in.installing import install
        from marlcomm.validation import UsageError

        try:
            folder = install(Path(words[0]))
        except UsageError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"A stand-in, which is not StarCraft II, is in {folder}. To play with it: export SC2PATH='{folder}'")
        return 0
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the accelerator belongs to who learns
    from marlcomm.bridge.starcraft.stand_in.server import serve_as_game

    return serve_as_game(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
