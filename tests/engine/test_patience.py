"""A typed pattern cannot hang the console."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from migconsole.engine.patience import TooSlowError, at_most


def test_a_match_without_end_is_ended() -> None:
    with pytest.raises(TooSlowError) as caught, at_most(0.05):
        re.search("(a|aa)+$", "a" * 100 + "b")
    assert caught.value.remedy


def test_what_is_quick_is_left_alone_and_nothing_stays_armed() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with at_most(5):
        assert re.search("b", "abc")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), at_most(5):
        raise KeyError("x")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_just_works() -> None:
    done: list[bool] = []

    def work() -> None:
        with at_most(0.001):
            done.append(re.search("b", "ab") is not None)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
