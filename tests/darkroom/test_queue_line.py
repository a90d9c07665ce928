"""The waiting line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starbooth.darkroom.line import Line, Priority

NORMAL, LOW = Priority.NORMAL, Priority.LOW


class TestOrder:
    def test_first_come_is_first_served(self) -> None:
        line = Line()
        for number in (1, 2, 3):
            line.join(number, NORMAL)
        assert [line.next() for _ in range(4)] == [1, 2, 3, None]

    def test_low_priority_waits_for_all_of_normal(self) -> None:
        line = Line()
        line.join(1, LOW)
        line.join(2, NORMAL)
        assert [line.next(), line.next()] == [2, 1]

    def test_an_old_number_that_comes_back_stands_in_front(self) -> None:
        line = Line()
        line.join(5, NORMAL)
        line.join(2, NORMAL)
        assert line.next() == 2


class TestPosition:
    def test_the_next_one_has_position_zero(self) -> None:
        line = Line()
        line.join(7, NORMAL)
        line.join(9, NORMAL)
        assert (line.position(7, NORMAL), line.position(9, NORMAL)) == (0, 1)

    def test_low_priority_counts_all_of_normal(self) -> None:
        line = Line()
        line.join(1, LOW)
        line.join(2, NORMAL)
        assert line.position(1, LOW) == 1

    def test_a_ticket_that_left_is_unknown(self) -> None:
        line = Line()
        line.join(1, NORMAL)
        line.leave(1, NORMAL)
        with pytest.raises(KeyError):
            line.position(1, NORMAL)

    def test_leaving_twice_is_refused(self) -> None:
        line = Line()
        line.join(1, NORMAL)
        line.leave(1, NORMAL)
        with pytest.raises(KeyError):
            line.leave(1, NORMAL)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(["join", "leave", "next"]), st.sampled_from(list(Priority)))))
    def test_it_agrees_with_a_plain_list_after_any_history(self, history: list[tuple[str, Priority]]) -> None:
        line, plain = Line(), list[tuple[Priority, int]]()
        for number, (step, priority) in enumerate(history):
            lane = [entry for entry in plain if entry[0] is priority]
            if step == "join":
                line.join(number, priority)
                plain.append((priority, number))
            elif step == "leave" and lane:
                line.leave(lane[-1][1], priority)
                plain.remove(lane[-1])
            elif step == "next":
                expected = min(plain, key=lambda entry: (entry[0] is LOW, entry[1]), default=None)
                assert line.next() == (expected[1] if expected else None)
                if expected:
                    plain.remove(expected)
        ordered = sorted(plain, key=lambda entry: (entry[0] is LOW, entry[1]))
        assert [line.position(number, priority) for priority, number in ordered] == list(range(len(ordered)))
        assert len(line) == len(plain)
