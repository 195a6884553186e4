"""The instruments and their page on a team that follows a script: what they should find is known (see scripted.py)."""

import dataclasses
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from handmade import drawn_curve, recorded_with
from html_reader import Reader, facts, is_self_contained
from scripted import HIGHER, NOOP, ScriptedTeams

import marlcomm as mc
from marlcomm.algorithms import build
from marlcomm.analysis import (
    find_codes,
    inspect_run,
    intervene,
    make_dictionary,
    measure_signaling,
    message_worth,
    plot_dictionary,
    plot_graph,
    plot_pairs,
    plot_talk_over_time,
    plot_worth,
    record_episodes,
    smallest_graph,
    talk_over_time,
)
from marlcomm.analysis.measures.information import entropy
from marlcomm.analysis.report.summary import explain
from marlcomm.messages.channel import offer
from marlcomm.networks import SumMixer
from marlcomm.training import Population, SavedRun

EPISODES = 200
SELF = np.eye(3, dtype=bool)
QUESTIONS = ("learn", "talk", "whom", "when", "meaning", "worth")


class Measured:
    """What the instruments say about one scripted team."""

    def __init__(self, teams: ScriptedTeams, member: int) -> None:
        self.team, self.actions = teams.team(member), teams.algorithm.env.action_names
        self.worth = message_worth(self.team, episodes=EPISODES)
        self.graph = smallest_graph(self.team, episodes=EPISODES)

    @cached_property
    def recorded(self):
        return record_episodes(self.team, EPISODES)

    @cached_property
    def there(self):
        """[B] whether target 2 is there."""
        return np.asarray(self.recorded.episodes.agents_view)[:, 0, 2, 0] > 0

    @cached_property
    def codes(self):
        return find_codes(self.recorded)

    @cached_property
    def signaling(self):
        return measure_signaling(self.recorded, permutations=199)

    @cached_property
    def intervention(self):
        return intervene(self.team, self.codes, episodes=EPISODES)

    @property
    def share(self):
        return self.there.mean()  # p


@pytest.fixture(scope="module")
def plain(scripted):
    return Measured(scripted, 0)


@pytest.fixture(scope="module")
def redundant(scripted):
    return Measured(scripted, 1)


def test_the_same_seed_plays_the_same_episodes(plain):
    assert plain.worth.team_return.mean == pytest.approx(plain.recorded.returns.mean())
    assert plain.worth.team_return.mean == pytest.approx(10 + 10 * plain.share)
    assert plain.intervention.usual[0, NOOP] == pytest.approx(plain.share)


def test_codes(plain):
    assert plain.codes.count.tolist() == [[0, 1, 1], [1, 0, 1], [2, 2, 0]]  # noise is one code
    bits = entropy(np.bincount(plain.there))
    assert plain.codes.entropy[2, 0] == pytest.approx(bits)
    assert plain.codes.entropy[0, 1] == 0


def test_positive_signaling_and_listening(plain):
    bits = entropy(np.bincount(plain.there))
    for table in (plain.signaling.about_view, plain.signaling.about_action):
        assert table.bits[2, 0] == pytest.approx(bits)
        assert table.found().tolist() == [[False] * 3, [False] * 3, [True, True, False]]
        assert np.isnan(table.p_value[SELF]).all()
        assert table.excess[1, 0] < 0.03


def test_a_message_is_worth_what_its_receiver_makes_of_it(plain):
    lost = np.where(plain.there, 5.0, 0.0)  # sensor 0 scans in vain
    cut = plain.worth.cut
    for value in (cut.pair.mean[2, 0], cut.sender.mean[2], cut.everything.mean):
        assert value == pytest.approx(lost.mean())
    half = 1.972 * lost.std(ddof=1) / np.sqrt(EPISODES)  # Student's t of 199 degrees
    assert cut.pair.high[2, 0] - cut.pair.mean[2, 0] == pytest.approx(half, rel=1e-3)
    nothing = ~SELF
    nothing[2, 0] = False
    assert (cut.pair.mean[nothing] == 0).all()
    assert cut.pair.certain.tolist() == [[False] * 3, [False] * 3, [True, False, False]]


def test_a_message_of_another_episode_misleads(plain):
    other = np.roll(plain.there, 1)
    lost = np.where(plain.there & ~other, 5.0, 0.0) + np.where(~plain.there & other, 15.0, 0.0)  # sensor 1 alone
    assert plain.worth.swapped.pair.mean[2, 0] == pytest.approx(lost.mean())
    assert plain.intervention.swapped[2, 0] == pytest.approx((plain.there != other).mean())


def test_one_pair_needs_to_talk(plain):
    assert np.argwhere(plain.graph.pairs).tolist() == [[2, 0]]
    assert plain.graph.team_return == plain.graph.full_return
    assert plain.graph.exhaustive


def test_of_two_who_say_the_same_one_is_enough_though_neither_is_missed(plain, redundant):
    assert (redundant.worth.cut.pair.mean[~SELF] == 0).all()
    assert redundant.worth.cut.everything.mean == pytest.approx(5 * plain.share)
    assert np.argwhere(redundant.graph.pairs).tolist() in ([[1, 0]], [[2, 0]])


def test_everyone_may_be_needed_or_nobody(plain):
    team = plain.team
    assert not smallest_graph(team, keep=0.5, episodes=EPISODES).pairs.any()
    assert smallest_graph(team, keep=1.0, episodes=EPISODES).pairs.sum() == 1


def test_taking_away_finds_the_pair_too(plain, monkeypatch):
    monkeypatch.setattr("marlcomm.analysis.measures.ablation.EXHAUSTIVE", 0)
    graph = smallest_graph(plain.team, episodes=EPISODES)
    assert np.argwhere(graph.pairs).tolist() == [[2, 0]]
    assert not graph.exhaustive


def test_the_receiver_does_what_it_is_told(plain):
    found = plain.intervention
    not_there, there = found.response[2, 0][:2]  # codes in order: -1, +1
    assert there[NOOP] == 1
    assert not_there[HIGHER] == 1
    assert found.muted[2, 0] == pytest.approx(plain.share)
    others = ~SELF
    others[2, 0] = False
    assert (found.muted[others] == 0).all()
    assert np.isnan(found.muted[SELF]).all()


def test_a_dictionary_says_when_and_what(plain):
    book = make_dictionary(plain.recorded, plain.codes, (2, 0), describe=lambda view: "yes" if view[0] > 0 else "no")
    assert dict(zip(book.codes, book.share, strict=True))["1"] == pytest.approx(plain.share)
    assert book.by_view
    assert book.seen[book.codes.index("1"), book.columns.index("yes")] == 1
    said = explain(book, plain, plain.actions)[book.codes.index("1")]
    assert "“noop”" in said
    assert facts(said).count("100%") == 2  # seen and done
    plot_dictionary(book, plain.intervention)


def test_many_views_become_features(plain):
    many = np.random.default_rng(0).normal(size=plain.recorded.episodes.agents_view.shape)
    many[:, 0, 2, 1] += 5 * plain.there
    recorded = dataclasses.replace(plain.recorded, episodes=plain.recorded.episodes._replace(agents_view=many))
    book = make_dictionary(recorded, plain.codes, (2, 0))
    assert not book.by_view
    assert book.columns == ("[0]", "[1]")
    assert book.seen[book.codes.index("1"), 1] > 0.5
    with pytest.raises(ValueError, match="tells agent 2 nothing"):
        make_dictionary(recorded, plain.codes, (2, 2))


def test_talk_over_time_counts_bits(plain):
    talk = talk_over_time(plain.recorded, 0.0)
    np.testing.assert_array_equal(talk.bits_per_step, [64, 64, 64])  # a real number to each of two
    np.testing.assert_array_equal(talk.said, [[1, 1, 1]])
    assert talk_over_time(plain.recorded, 0.75).said[0, [0, 2]].tolist() == [0, 1]


def test_talk_over_time_counts_real_steps():
    content = np.zeros((4, 3, 2, 2, 1))
    content[:2, :, 0, 1] = 5.0  # agent 0 speaks up in two of four episodes, of which one is short
    talk = talk_over_time(recorded_with(content, lengths=np.array([3, 1, 1, 2])), 2.0)
    np.testing.assert_array_equal(talk.going, [1, 0.5, 0.25])
    np.testing.assert_array_equal(talk.said, [[0.5, 0], [0.5, 0], [1, 0]])
    np.testing.assert_array_equal(talk.bits_per_step, [32, 32])


def test_figures(plain):
    figures = [
        plot_worth(plain.worth),
        plot_graph(plain.graph, plain.worth),
        plot_talk_over_time(talk_over_time(plain.recorded)),
        plot_pairs(plain.intervention.muted, marked=~SELF),
        plot_pairs(np.random.default_rng(0).random((12, 12))),
    ]
    rows = [text.get_text() for text in figures[0].axes[0].get_yticklabels()]
    assert rows[0] == "2 → 0"
    assert rows[-1] == "all"
    numbers = [text.get_text() for text in figures[3].axes[0].texts]
    assert numbers[6] == f"{plain.share:.2f}"
    assert len(figures[4].axes) == 2  # a scale in place of 144 numbers


def test_refuses_nonsense(plain):
    team, codes = plain.team, plain.codes
    for call, message in (
        (lambda: message_worth(team, episodes=1), "episodes is 1"),
        (lambda: smallest_graph(team, keep=1.5), "keep is 1.5"),
        (lambda: intervene(team, codes, episodes=1), "episodes is 1"),
        (lambda: measure_signaling(plain.recorded, permutations=0), "permutations is 0"),
        (lambda: intervene(team, dataclasses.replace(codes, content=codes.content[..., :0])), "no messages"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.fixture(scope="module")
def page(scripted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marlcomm.analysis.report.inspection.cut_curve", drawn_curve)
        path = inspect_run(scripted.saved(folder), episodes=EPISODES)
    assert path == folder / "inspection.html"
    return path.read_text()


def test_it_answers_every_question_in_order_and_needs_nothing_else(page):
    assert [name for name in Reader(page).ids if name in QUESTIONS] == list(QUESTIONS)
    assert is_self_contained(page)


def test_it_says_what_the_script_does(page):
    reader = Reader(page)
    answers = {question: facts(answer) for question, answer in reader.answers.items()}
    assert answers["learn"][:3] == ["0", "2", "0"]  # member 0 of 2, of seed 0
    assert 10 < float(answers["learn"][3]) < 20
    assert answers["talk"][:3] == ["192", "2", "6"]  # a real number from each of three to each of two; 2 of 6 pairs
    assert answers["whom"][-4:-1] == ["95%", "2→0", answers["whom"][-1]]  # one pair keeps all of the return
    assert "“1”" in reader.answers["meaning"]
    assert {"100%", "2", "0"} <= set(answers["meaning"])
    assert "“noop”" in reader.answers["meaning"]
    assert "1: seed 1 7.25 7.25 7.25" in reader.text  # the table of members


def test_it_has_every_picture(page):
    reader = Reader(page)
    kinds = [source.split(";")[0] for source in reader.sources if source.startswith("data")]
    assert kinds.count("data:image/gif") == 1
    assert kinds.count("data:image/svg+xml") == 11  # 5 matrices, graph, strip, dictionary, space, worth, cuts


class Mute(mc.Environment):
    """One step, one choice: no picture, no winning."""

    def __init__(self):
        self.num_agents, self.num_actions, self.observation_size, self.state_size, self.horizon = 2, 2, 1, 1, 1
        super().__init__()

    def reset(self, key):
        return jax.random.bernoulli(key), mc.restart(self._look())

    def step(self, state, action):
        return state, mc.timestep(self._look(), action[1] == state, terminal=jnp.bool_(True))

    def _look(self):
        return self.observe(jnp.zeros((2, 1)), jnp.zeros(1), jnp.int32(0))


class SaysNothing(nn.Module):
    """An agent whose messages have no dimensions."""

    def initial_memory(self, *batch):
        return jnp.zeros((*batch, 1))

    def step(self, memory, inputs, alive, key, edit=None):
        lead = inputs.shape[:-1]
        return memory, jnp.zeros((*lead, 2)), offer(jnp.zeros((*lead, lead[-1], 0))), {}


def test_a_silent_team_on_a_task_without_pictures_or_winning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("marlcomm.analysis.report.inspection.cut_curve", drawn_curve)
    algorithm = build("value", Mute(), mixer=SumMixer(), agent=SaysNothing())
    params = {"agent": {"params": {"unused": jnp.zeros(1)}}}
    saved = SavedRun(tmp_path, algorithm, Population((7,), ({},)), params, {"algorithm": "<mute>"})
    page = mc.inspect_run(saved, tmp_path / "deep" / "page.html", episodes=20).read_text()
    assert capsys.readouterr().err != ""
    mc.inspect_run(saved, tmp_path / "page.html", episodes=20, progress=False)
    assert capsys.readouterr().err == ""
    reader = Reader(page)
    assert is_self_contained(page)
    assert [name for name in reader.ids if name in QUESTIONS] == ["learn", "talk", "when"]
    assert facts(reader.answers["learn"])[0] == "7"
    assert facts(reader.answers["talk"]) == []
    assert "won" not in reader.text
    assert "gif" not in page
    assert "&lt;mute&gt;" in page  # what users wrote is shown, not run


def test_refuses_what_is_not_there(scripted, tmp_path):
    saved = scripted.saved(tmp_path)
    with pytest.raises(ValueError, match="episodes is 1"):
        inspect_run(saved, episodes=1)
    with pytest.raises(ValueError, match="member 2"):
        inspect_run(saved, member=2)
    with pytest.raises(mc.training.RunFolderError, match="not a run folder"):
        inspect_run(tmp_path)
