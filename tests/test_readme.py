"""The README's Python is run as it stands, but for the number of steps."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_every_python_block_runs_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 4
    namespace: dict = {}
    for block in blocks:
        exec(re.sub(r"steps=[\d_]+", "steps=300", block), namespace)
    assert namespace["state"].params
    assert (namespace["battle"].num_agents, namespace["battle"].num_actions) == (4, 9)
    _, step = namespace["battle"].reset(jax.random.key(0))
    assert step.observation.action_mask[:, 1:6].all()  # all may stop and walk
    assert (tmp_path / "runs" / "notebook" / "summary.json").exists()


def test_the_set_up_commands_are_there():
    assert "\npip install . && marlcomm train ndq hallway\n" in README
    assert '\npip install -e ".[test]" && pytest\n' in README


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_are_there(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:\w+/)+[\w./]*)`", text) + re.findall(r"\]\(([\w/.-]+)\)", text)
    ours = [path for path in named if path.split("/")[0] in {*(each.name for each in ROOT.iterdir())}]
    assert len(ours) >= 5
    assert [path for path in ours if not (ROOT / path).exists()] == []
