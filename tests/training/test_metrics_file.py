"""metrics.jsonl loses nothing without a word."""

from __future__ import annotations

import numpy as np
import pytest

from marlcomm.training.metrics_file import stack_metrics
from marlcomm.training.record import RunFolder


@pytest.fixture
def folder(tmp_path):
    """Two members, seven chunks."""
    folder = RunFolder(tmp_path / "run")
    folder.create({"algorithm": "a"})
    for chunk in range(1, 8):
        folder.append_metrics([{"chunk": chunk, "loss": float(chunk)}] * 2)
    yield folder
    folder.close()


def lines_of(folder):
    return (folder.member(0) / "metrics.jsonl").read_text().splitlines()


def write(folder, lines):
    (folder.member(0) / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))


def chunks(rows):
    return [row["chunk"] for row in rows]


def again(folder):
    """The folder, as another process finds it."""
    return RunFolder(folder.path)


def test_what_was_recorded_after_the_checkpoint_goes_without_a_word(folder):
    marks = folder.mark_metrics(2)
    folder.append_metrics([{"chunk": 8, "loss": 0.0}] * 2)
    rows, said = again(folder).rewind_metrics(2, 7, marks)
    assert [chunks(own) for own in rows] == [list(range(1, 8))] * 2
    assert said == []
    assert len(lines_of(folder)) == 7


@pytest.mark.parametrize("marked", [True, False])
def test_good_lines_around_a_bad_one_stay_and_the_file_is_kept(folder, marked):
    marks = folder.mark_metrics(2) if marked else None
    damaged = lines_of(folder)
    damaged[3] = damaged[3][:9]
    write(folder, damaged)
    with pytest.warns(UserWarning, match="chunk 4"):
        again(folder).read_metrics(2)
    (first, second), (said,) = again(folder).rewind_metrics(2, 7, marks)
    assert chunks(first) == [1, 2, 3, 5, 6, 7]
    assert chunks(second) == [1, 2, 3, 4, 5, 6, 7]
    assert "chunk 4 of 7" in said
    (kept,) = (folder.path / "set_aside").iterdir()
    assert str(kept) in said
    assert kept.read_text().splitlines() == damaged
    loss = stack_metrics([first, second])["loss"]
    np.testing.assert_array_equal(loss[:, 1], np.arange(1.0, 8.0))
    np.testing.assert_array_equal(loss[:, 0], [1, 2, 3, np.nan, 5, 6, 7])


def test_a_changed_number_a_missing_file_and_a_line_without_a_chunk_are_said(folder):
    marks = folder.mark_metrics(2)
    write(folder, [line.replace("5.0", "6.0") for line in lines_of(folder)])
    assert "metrics.jsonl" in again(folder).rewind_metrics(2, 7, marks)[1][0]
    write(folder, ['{"loss": 1.0}', *lines_of(folder)[1:]])
    assert "chunk 1 of 7" in again(folder).rewind_metrics(2, 7, marks)[1][0]
    (folder.member(1) / "metrics.jsonl").unlink()
    with pytest.warns(UserWarning, match=r"member_1.*chunk 1-6"):
        again(folder).read_metrics(2)
    _, said = again(folder).rewind_metrics(2, 7, marks)
    assert "chunk 1-7 of 7" in said[-1]


def test_rows_that_stand_twice_count_once(folder):
    write(folder, [line for line in lines_of(folder) for _ in (0, 1)])
    with pytest.warns(UserWarning, match="twice"):
        assert chunks(again(folder).read_metrics(2)[0]) == list(range(1, 8))


def test_where_no_checkpoint_is_left_the_old_rows_are_kept_and_said(folder):
    old = lines_of(folder)
    (first, second), said = again(folder).rewind_metrics(2, 0)
    assert first == second == []
    kept = sorted((folder.path / "set_aside").iterdir())
    assert [path.read_text().splitlines() for path in kept] == [old, old]
    assert [str(path) in line for path, line in zip(kept, said, strict=True)] == [True, True]
    fresh = again(folder)
    assert fresh.rewind_metrics(2, 0)[1] == []  # nothing is there any more
    fresh.append_metrics([{"chunk": 1, "loss": 0.0}] * 2)
    assert len(lines_of(folder)) == 1
