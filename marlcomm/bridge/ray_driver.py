"""Plays on the nodes of a Ray cluster: on each an actor owns a pool of workers, and ships whole episodes."""

from __future__ import annotations

import contextlib
import functools
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.bridge.account import Account
from marlcomm.bridge.acting import device
from marlcomm.bridge.driver import Asked, BridgeDriver, default_workers, report_of
from marlcomm.bridge.launch import Recipe
from marlcomm.bridge.player import PATIENCE
from marlcomm.bridge.pool import CLOSE_SECONDS, NOT_STARTED, Limits, SimulatorsFailed
from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.devices import connect_to_ray, keep_compiled_programs
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import looks_across
from marlcomm.names import modules_of_users
from marlcomm.training.drivers import DriverReport, PlayStopped
from marlcomm.training.interrupt import stop_requested
from marlcomm.types import Episodes

NODE_LOST = "node lost"  # a cause


class Answer(NamedTuple):
    """What an actor ships."""

    played: tuple[Episodes, Decision] | None  #: of NumPy; None where its workers failed for good
    account: Account  #: of all that it was asked so far
    news: Sequence[str]
    failed: str = ""  #: why its workers failed


class RayDriver(BridgeDriver):
    """Plays with workers on every node of a Ray cluster that has cores to lend; needs the extra `ray`.

    The rows of a batch are shared out among the nodes. On each a team acts for the whole batch, of which its rows are
    kept: so episodes are those that the workers of one machine would play. A node that joins plays as soon as its actor
    is there. One that is lost loses the episodes that it was asked for, which others play again.
    """

    def __init__(
        self, recipe: Recipe, spec: SimulatorSpec, workers: int, limits: Limits, address: str | None = None
    ) -> None:
        """Args: as for `BridgeDriver`, but workers are those of each node; and where the cluster is."""
        super().__init__(recipe, spec, workers, limits)
        self._address, self._account, self._news = address, Account(), []
        self._nodes: dict[str, _Node] = {}
        self._batches: list[_Batch] = []  # under way
        self._all_workers = 0  # of the nodes that were there when the first episodes were asked for
        self._sent: dict[int, tuple[Algorithm, Any]] = {}  # by identity

    @property
    def account(self) -> Account:
        """See `BridgeDriver`: of all nodes."""
        return self._account

    def workers(self, episodes: int) -> int:
        """See `BridgeDriver`."""
        self._ready()
        return self._all_workers

    def close(self) -> None:
        """Ends all actors and their workers; the next episodes start new ones."""
        for node in self._nodes.values():
            node.end(CLOSE_SECONDS)
        self._nodes.clear()

    def report(self) -> DriverReport:
        """See `Driver`."""
        if not self._nodes:
            return DriverReport()
        playing = [node for node in self._nodes.values() if node.ready]
        report = report_of(self._account, self._news, sum(node.workers for node in playing))
        return report._replace(summary={**report.summary, "nodes": len(playing)})

    def begin_rows(self, algorithm: Algorithm, asked: Asked) -> Callable[[], tuple[Episodes, Decision]]:
        """See `BridgeDriver`: nodes play by themselves."""
        ray = connect_to_ray(self._address)
        order = self._shared(algorithm), ray.put(jax.device_get(asked._replace(rows=asked.rows[:0])))
        # an edit that looks across episodes sees those of one node alone
        batch = _Batch(order, 1 if looks_across(asked.edit) else None, asked.rows)
        self._batches.append(batch)
        with self._or_abandon():
            self._send(batch)
        return functools.partial(self._finish_rows, batch)

    def _finish_rows(self, batch: _Batch) -> tuple[Episodes, Decision]:
        """Waits for a batch; what nodes lost, others play."""
        with self._or_abandon():
            while batch.orders or len(batch.missing):
                self._send(batch)
                self._follow(batch)
        self._batches.remove(batch)
        with self._account.spent("transfer"):
            rows, played = zip(*batch.played, strict=True)
            place = np.argsort(np.concatenate(rows))
            episodes, decisions = jax.tree.map(lambda *x: np.concatenate(x)[place], *played)
            keys = decisions.key.max(0, keepdims=True)  # of all; zero where a node was done with its rows before others
            decisions = decisions._replace(key=np.broadcast_to(keys, decisions.key.shape))
            return episodes, jax.device_put(decisions, device())

    def _shared(self, algorithm: Algorithm) -> tuple[int, list[Any]]:
        """A number that tells an algorithm from others, and where in the cluster it is."""
        if id(algorithm) not in self._sent:
            self._sent[id(algorithm)] = algorithm, connect_to_ray(self._address).put(algorithm)
        return id(algorithm), [self._sent[id(algorithm)][1]]

    def _send(self, batch: _Batch) -> None:
        """Asks nodes for the rows that nobody plays."""
        if not len(batch.missing):
            return
        nodes = self._ready()[: batch.nodes]
        for node, rows in zip(nodes, _shares(batch.missing, nodes), strict=True):
            if len(rows):
                assert node.host is not None
                batch.orders[node.host.actor.play.remote(*batch.order, rows)] = node, node.host, rows
        batch.missing = batch.missing[:0]

    def _follow(self, batch: _Batch) -> None:
        """Waits until every node that was asked has answered, or is lost."""
        ray = connect_to_ray(self._address)
        with self._account.spent("simulate"):
            while batch.orders:
                done, _ = ray.wait(list(batch.orders), timeout=PATIENCE)
                if stop_requested():
                    raise PlayStopped
                for reference in done:
                    node, host, rows = batch.orders.pop(reference)
                    if (played := self._received(node, host, reference, len(rows))) is None:
                        batch.missing = np.sort(np.concatenate([batch.missing, rows]))
                    else:
                        batch.played.append((rows, played))

    def _received(self, node: _Node, host: _Host, reference: Any, episodes: int) -> tuple[Episodes, Decision] | None:
        """What a node played; None where it is lost, or its workers are, with all that it was asked for."""
        ray = connect_to_ray(self._address)
        try:
            answer: Answer = ray.get(reference)
        except ray.exceptions.RayTaskError:  # a mistake in a task or a team, not of a node
            raise
        except ray.exceptions.RayError as error:
            self._lose(node, host, NODE_LOST, str(error), episodes)
            return None
        self._news += [f"{node.name}, {sentence}" for sentence in answer.news]
        if answer.played is None:
            self._lose(node, host, NODE_LOST, answer.failed, episodes)
            node.failures = self._limits.failures
            return None
        self._account.add(answer.account)
        self._account.add(host.account, -1)
        host.account, node.failures = answer.account, 0
        return answer.played

    def _lose(self, node: _Node, host: _Host | None, cause: str, why: str, episodes: int) -> None:
        """Counts what is lost with a node's actor; another starts there, if the node is still one."""
        self._account.begun += episodes
        if episodes:
            self._account.lost[cause] += episodes
        if node.host is not host:  # lost before, with what else it was asked for
            return
        self._account.failures[cause] += 1
        node.end()
        node.failures, node.why = node.failures + 1, why.strip()
        node.again = time.monotonic() + self._limits.wait_before(node.failures)
        first = node.why.splitlines()[0] if node.why else "nobody says why"
        self._news.append(f"{node.name}: {cause}: {first}; its episodes are played again")

    @contextlib.contextmanager
    def _or_abandon(self) -> Iterator[None]:
        """Forgets all that is under way, where it cannot go on."""
        try:
            yield
        except BaseException:
            for batch in self._batches:
                for node, _, rows in batch.orders.values():
                    self._account.begun += len(rows)
                    self._account.abandoned += len(rows)
                    node.end()
            self._batches.clear()
            raise

    def _ready(self) -> list[_Node]:
        """Nodes that can play, at least one, once those that start for the first time are there.

        Raises:
          SimulatorsFailed: there are none, and none will be.
        """
        ray = connect_to_ray(self._address)
        while True:
            self._look_around(ray)
            left = [node for node in self._nodes.values() if node.failures < self._limits.failures]
            if not left:
                why = "; ".join(f"{node.name}: {node.why}" for node in self._nodes.values() if node.why)
                raise SimulatorsFailed(f"no node of the Ray cluster plays. {why or 'None has a core to lend.'}")
            starting = [node for node in left if node.starts is not None]
            ready = [node for node in left if node.ready]
            if ready and (self._all_workers or all(node.failures for node in starting)):
                self._all_workers = self._all_workers or sum(node.workers for node in ready)
                return ready
            if stop_requested():
                raise PlayStopped
            if starting:
                ray.wait([node.starts for node in starting], timeout=PATIENCE)
            else:
                time.sleep(PATIENCE)

    def _look_around(self, ray: Any) -> None:
        """Finds nodes that came and went, and starts what is to be started."""
        now = time.monotonic()
        there = {each["NodeID"]: each for each in ray.nodes() if each["Alive"] and each["Resources"].get("CPU", 0) >= 1}
        for key in self._nodes.keys() - there.keys():
            gone = self._nodes.pop(key)
            gone.end()
            self._news.append(f"{gone.name} has left the cluster: {len(self._nodes)} nodes are left")
        for key, found in there.items():
            node = self._nodes.setdefault(key, _Node(key, found["NodeManagerAddress"], found["Resources"]["CPU"]))
            if node.host is None and node.again <= now and node.failures < self._limits.failures:
                workers = node.workers = self._workers or default_workers(int(node.cores))
                node.start(ray, (self._recipe, self._spec, workers, self._limits, modules_of_users()))
                node.again = now + self._limits.start_seconds
            elif node.starts is not None and ray.wait([node.starts], timeout=0)[0]:
                try:
                    ray.get(node.starts)
                    node.starts = None
                except ray.exceptions.RayError as error:
                    self._lose(node, node.host, NOT_STARTED, str(error), 0)
            elif node.starts is not None and node.again <= now:
                self._lose(
                    node, node.host, NOT_STARTED, f"no actor within start_seconds={self._limits.start_seconds:g}", 0
                )


@dataclass(eq=False)
class _Batch:
    """Rows that nodes play."""

    order: tuple[Any, ...]  #: what each is told, but for which rows
    nodes: int | None  #: how many may play it; None for all
    missing: np.ndarray  #: rows that nobody plays
    orders: dict[Any, tuple[_Node, _Host, np.ndarray]] = field(default_factory=dict)  #: reference -> who plays which
    played: list[tuple[np.ndarray, Any]] = field(default_factory=list)


@dataclass(eq=False)
class _Host:
    """An actor, and the account that it gave last."""

    actor: Any
    account: Account = field(default_factory=Account)


@dataclass
class _Node:
    """A node of the cluster, and the actor there."""

    key: str
    name: str
    cores: float
    workers: int = 0
    host: _Host | None = None
    starts: Any = None  #: what is to be waited for before it can be asked; None once it is there
    failures: int = 0  #: in a row
    again: float = 0.0  #: when it is to be there, or else started again
    why: str = ""  #: it failed last

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self.host is not None and self.starts is None

    def start(self, ray: Any, how: tuple[Any, ...]) -> None:
        """Starts an actor."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self.key, soft=False)
        cores = min(self.workers, int(self.cores))
        actor: Any = ray.remote(num_cpus=cores, max_restarts=0, scheduling_strategy=here)(_Actor)
        self.host = _Host(actor.remote(*how))
        self.starts = self.host.actor.there.remote()

    def end(self, seconds: float = 0.0) -> None:
        """Ends the actor and its workers: in good order, where so many seconds are given for it."""
        host, self.host, self.starts = self.host, None, None
        if host is None:
            return
        import ray
        from ray.exceptions import RayError

        if ray.is_initialized():
            with contextlib.suppress(RayError):
                if seconds:
                    ray.wait([host.actor.close.remote()], timeout=seconds)
                ray.kill(host.actor)


class _Actor:
    """Plays on a node as the learner would; its own processor cores act for the team."""

    def __init__(
        self, recipe: Recipe, spec: SimulatorSpec, workers: int, limits: Limits, modules: Sequence[str]
    ) -> None:
        for module in modules:
            importlib.import_module(module)
        jax.config.update("jax_platforms", "cpu")
        keep_compiled_programs()
        self._driver = BridgeDriver(recipe, spec, workers, limits)
        self._algorithms: dict[int, Algorithm] = {}

    def there(self) -> None:
        """Says that it has started."""

    def play(self, algorithm: tuple[int, list[Any]], asked: Asked, rows: np.ndarray) -> Answer:
        """Plays rows of a batch; an algorithm that it knows by number is not fetched again."""
        number, (reference,) = algorithm
        if number not in self._algorithms:
            import ray

            self._algorithms[number] = ray.get(reference)
        pool = self._driver.pool(len(rows))
        try:
            played, failed = self._driver.play_rows(self._algorithms[number], asked._replace(rows=rows)), ""
        except SimulatorsFailed as error:
            played, failed = None, str(error)
        news, pool.news[:] = list(pool.news), []
        return Answer(jax.device_get(played), pool.account, news, failed)

    def close(self) -> None:
        """Ends the workers."""
        self._driver.close()


def _shares(rows: np.ndarray, nodes: Sequence[_Node]) -> list[np.ndarray]:
    """Rows for each node, by its workers."""
    ends = np.cumsum([node.workers for node in nodes])
    return np.split(rows, np.round(ends[:-1] / ends[-1] * len(rows)).astype(int))
