"""How long a run is, in what pieces it is computed, and when it is evaluated. Plain integers: they cannot wrap."""

from __future__ import annotations

import math
from dataclasses import dataclass

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.losses import Since
from marlcomm.validation import UsageError

COUNTERS_END = 2**31  # states count in int32
LONGEST = 20_000  # environment steps of a member in one piece, at the most
FEW_UPDATES = 300  # fewer gradient steps than this teach little


@dataclass(frozen=True)
class Schedule:
    """A run of `steps` environment steps a member with `evaluations` evenly over them.

    Attributes:
      steps: of each member.
      evaluations: the last is at the end.
      steps_of_batch: environment steps of a training step whose episodes all last to the horizon.
    """

    steps: int
    evaluations: int
    steps_of_batch: int

    def chunk(self, done: int, trained: int) -> int:
        """Training steps to compute next: to the next evaluation, or as many as are computed in one piece.

        How many lead there is guessed from the length of episodes so far. Where that was too few, a quarter of an
        interval follows; never as many as could lead past two evaluations.

        Args:
          done: environment steps of the slowest member; trained: training steps that these took.
        """
        due = self.next_evaluation(done)
        missing = due - done
        guess = math.ceil(missing / (done / trained if trained else self.steps_of_batch))
        least = self.steps // (4 * self.evaluations * self.steps_of_batch)
        second = self.next_evaluation(due)
        longest = min(LONGEST // self.steps_of_batch, 200, (second - 1 - done) // self.steps_of_batch)
        return max(min(max(guess, least), longest), 1)

    def next_evaluation(self, done: int) -> int:
        """The step after `done` at which the slowest member is evaluated next."""
        return -((self._passed(done) + 1) * self.steps // -self.evaluations)

    def evaluation_due(self, before: int, done: int) -> bool:
        """Whether the slowest member passed a multiple of steps / evaluations."""
        return self._passed(before) < self._passed(done)

    def _passed(self, done: int) -> int:
        return done * self.evaluations // self.steps


def make_schedule(algorithm: Algorithm, steps: int, evaluations: int) -> Schedule:
    """Raises UsageError where a member's counters could not hold so many steps."""
    settings, updates = algorithm.learner.config, algorithm.learner.updates_per_step
    batch = settings.num_envs * algorithm.env.horizon
    if steps + batch >= COUNTERS_END:  # the last episodes may begin just before the end
        raise UsageError(
            f"steps={steps}: a member counts to 2^31, so that at most {COUNTERS_END - 1 - batch} are possible where "
            f"num_envs={settings.num_envs} episodes of up to {algorithm.env.horizon} steps are played at once"
        )
    schedule = Schedule(steps, evaluations, batch)
    if updates_of(algorithm, schedule) >= COUNTERS_END:
        raise UsageError(
            f"steps={steps}: with {updates} gradient steps after every {batch} environment steps, a member would take "
            "more of them than it can count, 2^31"
        )
    return schedule


def updates_of(algorithm: Algorithm, schedule: Schedule) -> int:
    """Gradient steps of a member, if all episodes last to the horizon; fewer while replay fills."""
    return math.ceil(schedule.steps / schedule.steps_of_batch) * algorithm.learner.updates_per_step


def late_losses(algorithm: Algorithm, schedule: Schedule) -> str | None:
    """A warning where losses would count only after the last step of a run, and so never."""
    timed = {name: loss.start for name, loss in algorithm.learner.losses.items() if isinstance(loss, Since)}
    late = [f"{name} (from step {start:,})" for name, start in timed.items() if start > schedule.steps]
    return f"steps={schedule.steps:,} end before these losses count: {', '.join(late)}" if late else None


def few_updates(algorithm: Algorithm, schedule: Schedule) -> str | None:
    """A warning where a run hardly learns, because it takes few gradient steps."""
    updates = updates_of(algorithm, schedule)
    if updates >= FEW_UPDATES:
        return None
    settings = algorithm.learner.config
    return (
        f"steps={schedule.steps:,} are only about {updates:,} gradient steps: {algorithm.learner.updates_per_step:,} "
        f"after every num_envs={settings.num_envs} episodes of up to {algorithm.env.horizon:,} steps. Take more steps, "
        "or fewer environments"
    )
