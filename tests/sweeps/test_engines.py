"""Engines: what is trained elsewhere comes back to one folder and one table, whatever becomes of those who train."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import time
from dataclasses import replace

import psutil
import pytest

import marlcomm as mc
from marlcomm.cli import main
from marlcomm.names import modules_of_users
from marlcomm.sweeps import engines, jobs, make_plan, read_spec, submitit_engine
from marlcomm.sweeps.jobs import Outcome, checksum
from marlcomm.sweeps.progress import share_done
from marlcomm.sweeps.ray_engine import RayEngine
from marlcomm.sweeps.submitit_engine import SubmititEngine
from marlcomm.validation import UsageError

TINY = {"hidden": 4, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8}
SPEC = {"algorithm": "vdn", "task": "sensor", "steps": 60, "evaluations": 1, "evaluation_episodes": 4, "set": TINY}
THREE = {**SPEC, "seeds": 6, "max_members": 2}


class FakeTask:
    def __init__(self, job, ends_after, outcome):
        self.job, self.looks, self.ends_after, self.outcome, self.cancelled = job, 0, ends_after, outcome, False

    def done(self):
        self.looks += 1
        return self.cancelled or self.looks > self.ends_after

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if not self.outcome.error:
            train(self.job, self.job.folder)
        return self.outcome

    def cancel(self):
        self.cancelled = True


def train(job, folder):
    """What is left of a run that has ended, as far as a sweep looks at it."""
    run = folder / job.name
    run.mkdir(exist_ok=True)
    members = [{"return": float(member["seed"])} for member in job.part["members"]]
    (run / "summary.json").write_text(json.dumps({"members": members}))


class FakeEngine:
    elsewhere = True

    def __init__(self, *tasks):
        self.given = tasks

    def submit(self, jobs, say):
        self.jobs = jobs
        self.tasks = [FakeTask(job, *how) for job, how in zip(jobs, self.given, strict=True)]
        return self.tasks


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(engines, "POLL", 0.01)


def test_parts_end_in_any_order_and_those_that_fail_or_are_lost_stand_in_the_table(tmp_path, capsys):
    engine = FakeEngine((5, Outcome()), (1, Outcome("ValueError: no such luck")), (2, RuntimeError("node lost")))
    found = mc.sweep(THREE, tmp_path / "sweep", engine=engine)
    names = [job.name for job in engine.jobs]
    assert found.failed == {names[1]: "ValueError: no such luck", names[2]: "RuntimeError: node lost"}
    assert found.table["status"].tolist() == [word for word in ("done", *found.failed.values()) for _ in range(2)]
    said = capsys.readouterr().err
    assert said.index(names[1]) < said.index(names[2]) < said.index(f"{names[0]} is done")
    again = FakeEngine((0, Outcome()), (0, Outcome()))
    assert not mc.sweep(THREE, tmp_path / "sweep", engine=again, progress=False).failed
    assert [job.name for job in again.jobs] == names[1:]


def test_a_job_holds_all_that_another_process_needs(tmp_path):
    engine = FakeEngine(*[(0, Outcome())] * 3)
    mc.sweep(THREE, tmp_path / "sweep", engine=engine, progress=False)
    recorded = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert [job.part for job in engine.jobs] == recorded["parts"]
    assert {job.record for job in engine.jobs} == {checksum(tmp_path / "sweep")} != {checksum(tmp_path)}


def test_an_interruption_lets_all_stop_and_leaves_a_table(tmp_path):
    class Interrupted(FakeEngine):
        def submit(self, jobs, say):
            os.kill(os.getpid(), signal.SIGINT)
            return super().submit(jobs, say)

    engine = Interrupted(*[(10**9, Outcome("stopped"))] * 3)
    with pytest.raises(KeyboardInterrupt):
        mc.sweep(THREE, tmp_path / "sweep", engine=engine, progress=False)
    assert all(task.cancelled for task in engine.tasks)
    assert (tmp_path / "sweep" / "sweep.csv").read_text().count("stopped") == 0
    assert (tmp_path / "sweep" / "sweep.csv").read_text().count("not finished") == 6


def test_what_is_sent_back_is_put_into_the_folder_and_nothing_outside_it(tmp_path):
    def archive(name):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as files:
            entry = tarfile.TarInfo(name)
            entry.size = 2
            files.addfile(entry, io.BytesIO(b"{}"))
        return content.getvalue()

    engine = FakeEngine(*[(0, Outcome("x", archive(f"./{number}/log"))) for number in range(3)])
    mc.sweep(THREE, tmp_path / "sweep", engine=engine, progress=False)
    assert (tmp_path / "sweep" / "2" / "log").read_bytes() == b"{}"
    engine = FakeEngine((0, Outcome("", archive("../x"))), (10**9, Outcome()), (10**9, Outcome()))
    with pytest.raises(tarfile.TarError):
        mc.sweep(THREE, tmp_path / "other", engine=engine, progress=False)
    assert not (tmp_path / "x").exists()
    assert [task.cancelled for task in engine.tasks] == [False, True, True]  # nobody waits for them any more


def test_a_run_that_nobody_can_see_is_not_done(tmp_path):
    class Elsewhere(FakeEngine):
        def submit(self, jobs, say):
            for task in super().submit(jobs, say):
                task.result = Outcome
            return self.tasks

    found = mc.sweep(THREE, tmp_path / "sweep", engine=Elsewhere(*[(0, Outcome())] * 3), progress=False)
    assert len(found.failed) == 3
    assert all(str(tmp_path / "sweep" / name) in error for name, error in found.failed.items())
    assert "done" not in found.table["status"]


def test_what_breaks_in_a_job_can_be_found_in_its_log_and_its_simulators_end(tmp_path, monkeypatch):
    class Simulated:
        closed = 0

        def close(self):
            self.closed += 1

    env, broken = Simulated(), iter((TypeError("a bug"), UsageError("steps=0 must be at least 1.")))
    monkeypatch.setattr(jobs, "make_env", lambda *_, **__: env)
    monkeypatch.setattr(jobs, "make_algorithm", lambda *_, **__: (_ for _ in ()).throw(next(broken)))
    engine = FakeEngine(*[(0, Outcome("later"))] * 3)
    mc.sweep(THREE, tmp_path / "sweep", engine=engine, progress=False)
    logs = tmp_path / "sweep" / "logs"
    said = [jobs.train_elsewhere(job).error for job in engine.jobs[:2]]
    assert said == ["TypeError: a bug", "UsageError: steps=0 must be at least 1."]
    kept = [(logs / f"{job.name}.log").read_text().count("Traceback") for job in engine.jobs[:2]]
    assert kept == [1, 0]
    assert env.closed == 2


def test_a_node_that_does_not_see_the_folder_sends_its_run_back(tmp_path, monkeypatch):
    engine = FakeEngine(*[(0, Outcome("later"))] * 3)
    mc.sweep(THREE, tmp_path / "sweep", engine=engine, progress=False)
    job = replace(engine.jobs[0], folder=tmp_path / "nowhere")
    monkeypatch.setattr(jobs, "train_population", lambda *_, out, **__: train(job, out.parent))
    outcome = jobs.train_elsewhere(job)
    assert outcome.error == ""
    assert not job.folder.exists()
    jobs.receive(outcome, tmp_path / "sweep")
    assert (tmp_path / "sweep" / job.name / "summary.json").exists()
    assert (tmp_path / "sweep" / "logs" / f"{job.name}.log").exists()
    here = replace(job, folder=tmp_path / "sweep")
    assert jobs.train_elsewhere(here).files is None


def test_the_share_that_is_done_is_read_from_the_folder(tmp_path):
    plan = make_plan(read_spec(THREE))
    assert share_done(plan, tmp_path) == 0.0
    first, second, _ = (tmp_path / part.name for part in plan.parts)
    (second / "member_0").mkdir(parents=True)
    (second / "member_0" / "metrics.jsonl").write_text('{"env_steps": 15}\n{"env_steps": 30}\n{"env_st')
    assert share_done(plan, tmp_path) == pytest.approx(0.5 / 3)
    first.mkdir()
    (first / "summary.json").write_text("{}")
    assert share_done(plan, tmp_path) == pytest.approx(1.5 / 3)


def test_an_engine_is_checked_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(UsageError, match="ray"):
        mc.sweep(SPEC, tmp_path / "sweep", engine="rai")
    assert not (tmp_path / "sweep").exists()
    for wrong in (RayEngine, 7):
        with pytest.raises(UsageError, match=r"RayEngine\(gpus=1\)"):
            mc.sweep(SPEC, tmp_path / "sweep", engine=wrong)  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "sweep").exists()
    for gpus in (-1, 1.5):  # which Ray cannot give
        with pytest.raises(UsageError, match="gpus"):
            RayEngine(gpus=gpus)
    RayEngine(gpus=0.5)
    for asked in ({"timeout": 0}, {"cpus": 1.5}, {"gpus": -1}, {"together": "all"}):
        with pytest.raises(UsageError, match=next(iter(asked))):
            SubmititEngine(**asked)
    file = tmp_path / "sweep.toml"
    file.write_text('algorithm = "vdn"\ntask = "sensor"\n')
    asked = ["sweep", str(file), "--out", str(tmp_path / "out")]
    assert main([*asked, "--engine", "ray", "--engine-set", "gpu=1"]) == 2
    assert "Did you mean 'gpus'" in capsys.readouterr().err
    assert main([*asked, "--engine-set", "gpus=1"]) == 2
    assert "--engine" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["localhost:1", "ray://localhost:1", "localhost:99999"])
def test_a_cluster_that_is_not_there_is_said_so_at_once(address):
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match=f"no Ray cluster answers at '{address}'"):
        RayEngine(address).submit([], lambda text: None)


@pytest.mark.parametrize(
    ("nodes", "asked", "part"),
    [
        ([{"CPU": 8}, {"CPU": 4}], {}, (4, 0)),
        ([{"CPU": 8}, {"CPU": 16, "GPU": 4}, {"CPU": 32, "GPU": 4}], {}, (16, 4)),
        ([{"CPU": 8}, {"CPU": 16, "GPU": 4}], {"gpus": 1}, (4, 1)),
        ([{"CPU": 8}, {"CPU": 16, "GPU": 4}], {"gpus": 0}, (8, 0)),
        ([{"CPU": 8}], {"cpus": 2}, (2, 0)),
        ([], {}, (1, 0)),
    ],
)
def test_a_part_gets_a_whole_node_unless_less_is_asked_for(nodes, asked, part):
    assert RayEngine(**asked)._of_a_part(nodes) == part


def test_modules_of_users_are_those_that_registered_something():
    assert all(not name.startswith("marlcomm") for name in modules_of_users())


def processes_of(node):
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return {process.pid for process in raylet.children(recursive=True)}


def saved_run(jobs):
    """The folder of the first run once it holds a checkpoint."""
    run = jobs[0].folder / jobs[0].name
    while not list(run.glob("checkpoints/[0-9]*")):
        time.sleep(0.1)
    return run


def interrupt(engine, folder):
    """Begins a long sweep and interrupts it as soon as its run has saved."""

    class Interrupted:
        elsewhere = True

        def submit(self, jobs, say):
            tasks = engine.submit(jobs, say)
            saved_run(jobs)
            os.kill(os.getpid(), signal.SIGINT)
            return tasks

    asked = {**SPEC, "steps": 200_000, "evaluations": 200, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        mc.sweep(asked, folder, engine=Interrupted())
    said = next((folder / "logs").iterdir()).read_text()
    assert "interrupted after" in said
    assert "--resume" not in said


@pytest.mark.slow
class TestRay:
    def test_two_nodes_find_the_numbers_of_one_process(self, nodes, tmp_path):
        here = mc.sweep(THREE, tmp_path / "here", progress=False)
        there = mc.sweep(THREE, tmp_path / "there", engine="ray")
        assert not there.failed
        assert there.table["digest"].tolist() == here.table["digest"].tolist()
        assert (tmp_path / "there" / "sweep.png").exists()
        assert len(list((tmp_path / "there" / "logs").iterdir())) == 3

    def test_a_part_whose_node_is_lost_goes_on_on_another(self, nodes, cluster, tmp_path):
        asked = {**SPEC, "steps": 3000, "seeds": 2, "evaluations": 30, "checkpoint_seconds": 0}
        here = mc.sweep(asked, tmp_path / "here", progress=False)
        lost = []

        class Losing(RayEngine):
            def submit(self, jobs, say):
                tasks = super().submit(jobs, say)
                run = saved_run(jobs)
                process = json.loads((run / ".process").read_text())["process"]
                holder = next(node for node in nodes if process in processes_of(node))
                cluster.remove_node(holder, allow_graceful=False)
                lost.append(process)
                return tasks

        found = mc.sweep(asked, tmp_path / "there", engine=Losing())
        assert not found.failed
        assert lost
        log = next((tmp_path / "there" / "logs").iterdir()).read_text()
        assert "resumed after" in log
        assert found.table["digest"].tolist() == here.table["digest"].tolist()

    def test_an_interruption_reaches_the_nodes_which_save(self, nodes, tmp_path):
        interrupt(RayEngine(), tmp_path / "sweep")
        assert (tmp_path / "sweep" / "sweep.csv").read_text().count("not finished") == 1


class TestSubmitit:
    """With submitit's executors of this machine, in place of SLURM's."""

    @pytest.fixture(autouse=True)
    def submitit(self):
        pytest.importorskip("submitit")

    def test_the_debugging_executor_trains_here(self, tmp_path, monkeypatch):
        monkeypatch.setattr(submitit_engine, "train_elsewhere", lambda job, cores: train(job, job.folder) or Outcome())
        found = mc.sweep(THREE, tmp_path / "sweep", engine=SubmititEngine(cluster="debug"), progress=False)
        assert found.table["status"].tolist() == ["done"] * 6

    def test_what_submitit_does_not_know_is_refused(self, tmp_path):
        engine = SubmititEngine(cluster="local", slurm_partitoin="gpu")
        with pytest.raises(UsageError, match="partitoin"):
            mc.sweep(SPEC, tmp_path / "sweep", engine=engine, progress=False)

    @pytest.mark.slow
    def test_processes_of_this_machine_find_the_numbers_of_one(self, tmp_path):
        here = mc.sweep(THREE, tmp_path / "here", progress=False)
        engine = SubmititEngine(cluster="local", cpus=2, timeout=30)
        there = mc.sweep(THREE, tmp_path / "there", engine=engine)
        assert not there.failed
        assert there.table["digest"].tolist() == here.table["digest"].tolist()

    @pytest.mark.slow
    def test_an_interruption_reaches_the_jobs_which_save(self, tmp_path):
        interrupt(SubmititEngine(cluster="local", cpus=1, timeout=30), tmp_path / "sweep")
        left = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(each.info["cmdline"])]
        assert left == []

    @pytest.mark.slow
    def test_a_job_whose_time_is_over_goes_on_where_it_was(self, tmp_path):
        asked = {**SPEC, "steps": 10_000, "evaluations": 100, "checkpoint_seconds": 0}

        class Preempted(SubmititEngine):
            def submit(self, jobs, say):
                tasks = super().submit(jobs, say)
                saved_run(jobs)
                (process,) = psutil.Process(int(tasks[0]._job.job_id)).children()
                process.send_signal(signal.SIGUSR2)  # as SLURM does before it takes a node away
                return tasks

        found = mc.sweep(asked, tmp_path / "there", engine=Preempted(cluster="local", cpus=2, timeout=30))
        assert not found.failed
        assert "resumed after" in next((tmp_path / "there" / "logs").iterdir()).read_text()
        assert (
            found.table["digest"].tolist()
            == mc.sweep(asked, tmp_path / "here", progress=False).table["digest"].tolist()
        )
