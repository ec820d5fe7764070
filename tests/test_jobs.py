"""Work on several processes: in order, and as many at once as were asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from memxc import jobs


class Counting:
    """An executor that works at once, and counts what was submitted and not yet asked for."""

    def __init__(self) -> None:
        self.open, self.most = 0, 0

    def submit(self, work, *item):
        self.open += 1
        self.most = max(self.most, self.open)
        return SimpleNamespace(result=lambda: self._asked(work(*item)))

    def _asked(self, value):
        self.open -= 1
        return value


@pytest.mark.parametrize("count", [1, 3, 40])
def test_every_process_has_work_and_little_waits(count):
    executor = Counting()
    found = list(jobs.Pool(5, executor).ordered(divmod, ((i, 3) for i in range(count))))
    assert found == [divmod(i, 3) for i in range(count)]
    assert executor.most == min(count, 10)


@pytest.mark.parametrize("processes", [1, 2])
def test_in_order(processes):
    with jobs.pool(processes) as pool:
        assert list(pool.ordered(divmod, ((i, 3) for i in range(7)))) == [
            divmod(i, 3) for i in range(7)
        ]
