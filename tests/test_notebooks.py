"""Notebooks are stored without outputs, and every room has its page on the site. (The site's build runs notebooks.)"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import marlcomm as mc

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_no_outputs_and_compile(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        compile("".join(cell["source"]), path.name, "exec")


def test_every_room_has_a_page_of_the_api():
    pages = {path.stem for path in (ROOT / "docs" / "api").glob("*.rst")}
    stub = (Path(mc.__file__).parent / "__init__.pyi").read_text()
    rooms = set(re.findall(r"^from \. import (\w+)", stub, re.MULTILINE))
    assert pages == rooms, "a page of the API is `automodule` of one room of the package"
