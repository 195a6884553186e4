"""Where StarCraft II is installed, which versions of it there are, and which maps."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from marlcomm.bridge.starcraft.map_files import MAP_FILES, find_map, how_to_get, is_as_published
from marlcomm.validation import UsageError

FOLDERS = {  # where the game is looked for without SC2PATH, by `sys.platform`
    "linux": ("~/StarCraftII", "~/StarCraft II"),
    "darwin": ("/Applications/StarCraft II",),
    "win32": ("C:/Program Files (x86)/StarCraft II", "C:/Program Files/StarCraft II"),
}
BINARIES = {"darwin": "SC2.app/Contents/MacOS/SC2", "win32": "SC2_x64.exe"}
HOW_TO_GET = (
    "get one of the Linux packages of https://github.com/Blizzard/s2client-proto#downloads (papers have used 4.6.2 and "
    "4.10), unpack it, and set SC2PATH to its folder; without the game, `python -m marlcomm.bridge.starcraft.stand_in "
    "FOLDER` makes a stand-in, which is not StarCraft II"
)
STAND_IN_BUILD = 99999  # which no version of the game has; pysc2 refuses those below 55958
DATA = {  # version -> build in its folder's name, data that it was published with (s2client-proto, versions.json)
    "4.1.2": (60321, "33D9FE28909573253B7FC352CE7AEA40"),
    "4.6": (67926, "7DE59231CBF06F1ECE9A25A27964D4AE"),
    "4.6.1": (67926, "BEA99B4A8E7B41E62ADC06D194801BAB"),
    "4.6.2": (69232, "B3E14058F1083913B80C20993AC965DB"),
    "4.7": (70154, "8E216E34BC61ABDE16A59A672ACB0F3B"),
    "4.7.1": (70154, "94596A85191583AD2EBFAE28C5D532DB"),
    "4.8.2": (71663, "FE90C92716FC6F8F04B74268EC369FA5"),
    "4.8.3": (72282, "0F14399BBD0BA528355FF4A8211F845B"),
    "4.8.4": (73286, "CD040C0675FD986ED37A4CA3C88C8EB5"),
    "4.8.6": (73620, "AA18FEAD6573C79EF707DF44ABF1BE61"),
    "4.9": (74071, "70C74A2DCA8A0D8E7AE8647CAC68ACCA"),
    "4.9.1": (74456, "218CB2271D4E2FA083470D30B1A05F02"),
    "4.9.2": (74741, "614480EF79264B5BD084E57F912172FF"),
    "4.9.3": (75025, "C305368C63621480462F8F516FB64374"),
    "4.10": (75689, "B89B5D6FA7CBF6452E721311BFBC6CB2"),
}


class Version(NamedTuple):
    """One version of the game."""

    build: int  #: of the binary, in the name of its folder
    binary: Path
    data: str = ""  #: hash of the data to play with; empty for those that are active

    @property
    def name(self) -> str:
        """Such as "4.10 (build 75689)"; where a build stands for several, all of them."""
        if self.build == STAND_IN_BUILD:
            return "a stand-in, which is not StarCraft II"
        names = [name for name, (build, data) in DATA.items() if build == self.build and self.data in ("", data)]
        return f"{' or '.join(names)} (build {self.build})" if names else f"build {self.build}"


class Installation:
    """A folder in which the game is.

    Attributes:
      folder: that folder.
      maps: the folder of maps within it.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Finds the game: in `folder`, else where SC2PATH says, else where it is installed as a rule.

        Raises:
          UsageError: it is nowhere; the message says how to get it.
        """
        given = folder or os.environ.get("SC2PATH") or ""
        places = (given,) if given else FOLDERS.get(sys.platform, ())
        found = [place for each in places if (place := Path(each).expanduser()).is_dir()]
        if not found:
            named = "sc2_path" if folder else "SC2PATH"
            where = (
                f"{named}={str(given)!r} is no folder" if given else f"SC2PATH is not set, and nothing is in {places}"
            )
            raise UsageError(f"StarCraft II is not there: {where}. To have it, {HOW_TO_GET}.")
        self.folder = found[0].resolve()
        named = (self.folder / name for name in ("Maps", "maps"))
        self.maps = next((each for each in named if each.is_dir()), self.folder / "Maps")

    def versions(self) -> tuple[Version, ...]:
        """All versions that have a binary, the newest last."""
        folders = self.folder.glob("Versions/Base*")
        numbered = sorted((int(each.name[4:]), each) for each in folders if each.name[4:].isdigit())
        name = BINARIES.get(sys.platform, "SC2_x64")
        return tuple(Version(build, each / name) for build, each in numbered if (each / name).is_file())

    def version(self, name: str | None = None) -> Version:
        """The version of that name or build, such as "4.6.2", "69232" or "Base69232"; by default the newest.

        Raises:
          UsageError: there is none, or its binary may not be executed.
        """
        there = self.versions()
        listed = ", ".join(each.name for each in there) or "none"
        build, data = DATA.get(name or "", (0, ""))
        if name and not build:
            digits = name.removeprefix("Base")
            if not digits.isdigit():
                raise UsageError(f"game_version={name!r} is not known; in {self.folder} there are: {listed}.")
            build = int(digits)
        found = [each for each in there if build in (0, each.build)]
        if not found:
            wanted = f"version {name!r} (Versions/Base{build})" if name else "version of StarCraft II (Versions/Base*)"
            raise UsageError(f"{self.folder} has no {wanted}; there are: {listed}. To have one, {HOW_TO_GET}.")
        if not os.access(found[-1].binary, os.X_OK):
            raise UsageError(f"{found[-1].binary} may not be executed: chmod +x '{found[-1].binary}'")
        return found[-1]._replace(data=data)

    def map_file(self, scenario: str) -> Path:
        """The file of a battle's map. Raises UsageError where it is missing, with where to get it."""
        found = find_map(self.maps, scenario)
        if found is None:
            name = MAP_FILES[scenario].name
            raise UsageError(f"The map {name!r} is not in {self.maps}: {how_to_get(self.maps, scenario)}")
        return found

    def check_map(self, scenario: str) -> str:
        """What is wrong with a battle's map; empty where nothing is."""
        found = find_map(self.maps, scenario)
        if found is None:
            return f"missing: {how_to_get(self.maps, scenario)}"
        if is_as_published(found, scenario):
            return ""
        return f"not the published file: {how_to_get(self.maps, scenario)} if you did not change it"
