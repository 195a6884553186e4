"""Records that older versions wrote are compared in today's words: the same run is gone on with, another is refused."""

from __future__ import annotations

import functools
import json

import pytest

import marlcomm as mc
from marlcomm.algorithms.registry import setting_names
from marlcomm.renamed import recorded_names
from marlcomm.training.old_records import with_todays_words
from marlcomm.training.same_run import differences

# as the version before wrote them: `settings`, and what of `resolved` has another name today
NDQ = {
    "algorithm": "ndq",
    "settings": {"hidden": 8, "epsilon_steps": 1000.0},
    "resolved": {
        "epsilon_steps": 1000.0,
        "epsilon_finish": 0.05,
        "learning_rate_finish": 0.1,
        "cut_in_training": True,
        "cut_share": 0.95,
        "cut_start": 300_000.0,
        "optimiser": {"type": "torch_rmsprop", "decay": 0.99, "eps": 1e-05},
        "teacher": None,
        "training_edit": None,
    },
    "members": [{"seed": 0}],
    "format": 2,
}
AS_WIDE_AS_THE_AGENT = {**NDQ, "settings": {**NDQ["settings"], "encoder_hidden": 0}}
QMIX = {
    "algorithm": "qmix",
    "settings": {"cut_share": 0.5, "cut_in_training": True, "hidden": 8},
    "resolved": {"cut_in_training": True, "cut_share": 0.5, "cut_start": 300_000.0, "training_edit": None},
    "members": [{"seed": 0}],
    "format": 2,
}
RGMCOMM = {
    "algorithm": "rgmcomm_qmix",
    "settings": {"labels": 8, "hidden": 8},
    "resolved": {
        "weights.teacher": 1.0,
        "cut_in_training": False,
        "losses": ["temporal_difference", "labels", "teacher"],
        "agent": {"type": "CommunicatingAgent", "channel": {"type": "ClusterChannel", "alphabet": 8}},
        "teacher": {"type": "JointTeacher", "hidden": 64},
        "loss_terms": {
            "labels": {"type": "Every", "loss": {"neighbours": 4, "labels": "soft"}},
            "teacher": "teacher_loss",
        },
    },
    "members": [{"seed": 0, "epsilon_finish": 0.1}],
    "format": 2,
}


def found(record, **changes):
    """What differs, and what is said of the rest, where the algorithm on record is asked for with changes."""
    today = with_todays_words(record)
    known = functools.partial(setting_names, today["algorithm"])
    settings = recorded_names(today["settings"], known)
    asked = mc.make_algorithm(today["algorithm"], mc.make_env("hallway"), **{**settings, **changes}).describe()
    asked = {name: asked[name] for name in ("algorithm", "settings", "resolved")}
    return differences(today, json.loads(json.dumps({**asked, "members": today["members"]})))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("record", [NDQ, AS_WIDE_AS_THE_AGENT, RGMCOMM, QMIX])
def test_the_same_run_is_the_same(record):
    different, _ = found(record)
    assert different == []


@pytest.mark.parametrize(
    ("record", "changes", "name"),
    [
        (NDQ, {"exploration_steps": 2000}, "exploration_steps"),
        (NDQ, {"optimizer": "adam"}, "optimizer"),
        (NDQ, {"training_edit": None}, "training_edit"),
        (NDQ, {"cut_start": 600}, "training_edit.start"),
        (RGMCOMM, {"vocab_size": 4}, "vocab_size"),
        (RGMCOMM, {"neighbors": 5}, "neighbors"),
        (RGMCOMM, {"weights.joint_critic": 2.0}, "weights.joint_critic"),
    ],
)
def test_another_run_is_refused_by_todays_name(record, changes, name):
    different, _ = found(record, **changes)
    assert any(name in line for line in different), different


@pytest.mark.parametrize(
    ("algorithm", "settings", "kept"),
    [
        ("tarmac_qmix", {"ndq_baseline": True, "signature": 8, "rounds": 2}, {"ndq_baseline": True}),
        ("tarmac_qmix", {"signature": 8}, {"signature": 8}),
        ("ndq", {"paper": True, "cut_share": 0.5}, {"paper": True}),
        ("ndq", {"cut_share": 0.5}, {"cut_share": 0.5}),
        ("qmix", {"cut_in_training": False, "cut_start": 9.0}, {"cut_in_training": False}),
        ("ndq", {"encoder_hidden": 0, "hidden": 8}, {"hidden": 8}),
    ],
)
def test_what_changed_nothing_is_left_out(algorithm, settings, kept):
    record = {"algorithm": algorithm, "settings": settings, "format": 2}
    assert with_todays_words(record)["settings"] == kept


def test_members_too_are_called_as_today():
    assert with_todays_words(RGMCOMM)["members"] == [{"seed": 0, "exploration_final": 0.1}]
