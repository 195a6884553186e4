"""The map files of SMAC and NDQ: which battle each holds, its hash, and who plays on it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from marlcomm.validation import UsageError, nearest

SUFFIX = ".SC2Map"
SOURCES = {
    "smac": "https://github.com/oxwhirl/smac, smac/env/starcraft2/maps/SMAC_Maps",
    "ndq": "https://github.com/TonghanWang/NDQ, src/smac_plus/sc2_maps",
}
FOLDERS = ("SMAC_Maps", "NDQ_Maps", ".")  # under the game's Maps, in the order in which files are looked for


class MapFile(NamedTuple):
    """A file of a map."""

    name: str  #: of the file, without its suffix
    allies: str  #: race of the agents
    enemies: str  #: race of the computer's player
    sha256: str  #: of the file as it was published; maps under this name that differ are other battles
    source: str  #: a key of `SOURCES`


PUBLISHED = {  # by source: scenario, name of the file, race of the allies and of the enemies, hash
    "smac": """
        3m 3m terran terran d6e086e190a80fa473364497199ef4d6c0f6cd281e9f0dd9d64a8159f73a7d47
        8m 8m terran terran fe806ea90ddb919267eb0d3e2e91a00a07f759a1ab0ef33cb2422c4502d3476a
        25m 25m terran terran 94106cd699579019b45c0a7acead6646ed6cfbf26eba4280f76af13681bfd5f2
        5m_vs_6m 5m_vs_6m terran terran ca31d3f570e173b9ed2d8e681b700d2ac754abe62fdafc947432985bc0afb9d7
        8m_vs_9m 8m_vs_9m terran terran 15c9e65efefde407f8ae34a2bd9b70d46580db730accc15d3477fb281bb609d9
        10m_vs_11m 10m_vs_11m terran terran 774ad6f26136380dcdea5d29f257734a3ae30a903b2c2c27524bf8edb71c0170
        27m_vs_30m 27m_vs_30m terran terran ce84853869c37ce6fdd8266e883a95ce6d10c5fdaa0bf1eb4dc4c149db313f18
        MMM MMM terran terran 4d2c471baa1432b36934563f02ddd840b0602090a30a8b856c62deff4000bf19
        MMM2 MMM2 terran terran 797df232260bc50678cc5b48438b606056b2dd799469c872a2635e98d4f5c1d6
        2s3z 2s3z protoss protoss 928d21db081910096628ecc14627caa972940a7ccb99cc3448de28f7ec770a12
        3s5z 3s5z protoss protoss 20ce045f7442eba0010548cb26c03f80db93a4b5a4d94eae1d2486404774e088
        3s5z_vs_3s6z 3s5z_vs_3s6z protoss protoss 9265fe0a54ca05680ad4a9d67adadb3fa90544fca3f2aab7fe6681b3227fecf9
        1c3s5z 1c3s5z protoss protoss 17628884bbd11a0c6b5f36129de145a1e8f335ccbcd81e05cf75ec1ee0703a35
        3s_vs_3z 3s_vs_3z protoss protoss 273328b0a78a8b783c9cbf5c91efe583262a4d133b9a8818fe02f9ce9fbfd2a8
        3s_vs_4z 3s_vs_4z protoss protoss ebb01d82bf7f57d5469c7de64d541e614e971c2007853a6f744e0f61e9b19014
        3s_vs_5z 3s_vs_5z protoss protoss d63c713a3404b0574f10b686b0f4047d1fe670b5827119dbdf64dfcfc8ad55f8
        2m_vs_1z 2m_vs_1z terran protoss c7dff4eb87b0f949f6da15500020ecdc4b03a61512017eea1dc21a263f411111
        2s_vs_1sc 2s_vs_1sc protoss zerg 1936277d8a1cd490a11229b68892dd94582ef27e370f4babbb025f114a5d8eae
        6h_vs_8z 6h_vs_8z zerg protoss 2510f604d5a5e60afccf2b1547a6c31327bc307ae8a2083df2772fbe51f14bf1
        corridor corridor protoss zerg 5ca2caf7acda480ebfc8009bb95b855518349627a334639a78045d4c195ab28f
        so_many_baneling so_many_baneling protoss zerg f35849b0a0ecb7310c900dd907857549ff86c159c9e3744a2a49bf8702ff64a2
        bane_vs_bane bane_vs_bane zerg zerg 863932de531a1ddab2082b73ad29f8d684d599da97a09a81420682ee27410be4
    """,
    "ndq": """
        3b_vs_1h1m bane_vs_hM zerg terran 7535245e01f4f4284170b8e442600d93a85693daecebccc1c97e9804e626f094
        1o2r_vs_4r 1o_2r_vs_4r zerg zerg 101a006fed17ad9ec03809e03d7b103e3122877d1fa0bb0930e379551fa06346
        1o10b_vs_1r 1o_10b_vs_1r zerg zerg 2472398d23ea3e11d4a51a05ee3fa8762d7373959bd4bfd5cd6e9dbe44a39c94
        5z_vs_1ul 5z_vs_1ul protoss zerg 29889e39885f3b2eb950ffed098a25a379b36c02e1262d9575dcf7c0edb4b302
    """,
}

MAP_FILES: dict[str, MapFile] = {  # by scenario
    scenario: MapFile(name, allies, enemies, sha256, source)
    for source, table in PUBLISHED.items()
    for scenario, name, allies, enemies, sha256 in map(str.split, table.strip().splitlines())
}
NDQ_NAMES = {each.name: scenario for scenario, each in MAP_FILES.items() if each.name != scenario}


def scenario_name(name: str) -> str:
    """The battle of that name, or of the map file of that name. Raises UsageError with the nearest."""
    name = NDQ_NAMES.get(name, name)
    if name not in MAP_FILES:
        raise UsageError(f"No StarCraft II map is called {name!r}.{nearest(name, sorted([*MAP_FILES, *NDQ_NAMES]))}")
    return name


def find_map(maps: Path, scenario: str) -> Path | None:
    """The file of a battle's map under the game's folder of maps; None where there is none."""
    name = MAP_FILES[scenario].name + SUFFIX
    return next((path for folder in FOLDERS if (path := maps / folder / name).is_file()), None)


def is_as_published(path: Path, scenario: str) -> bool:
    """Whether a map's file is that of the paper's authors, byte for byte."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == MAP_FILES[scenario].sha256


def how_to_get(maps: Path, scenario: str) -> str:
    """What to do where a map is missing."""
    file = MAP_FILES[scenario]
    return f"copy {file.name}{SUFFIX} from {SOURCES[file.source]} to {maps / FOLDERS[0]}"
