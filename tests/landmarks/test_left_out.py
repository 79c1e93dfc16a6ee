from __future__ import annotations

from lead.landmarks.left_out import LONGEST, LeftOut


def test_what_is_left_out_is_counted_by_kind_and_the_first_are_named() -> None:
    left_out = LeftOut()
    assert str(left_out) == ""
    assert not left_out.beyond()
    for number in range(1200):
        left_out.add("points without a place", f"task {number}")
    left_out.add("results of type 'labels'", count=7)
    for _ in range(2):
        left_out.add("annotations of other categories", "sofa")
    assert str(left_out) == (
        "1,200 points without a place (task 0, task 1, task 2, …); 7 results of type 'labels'; "
        "2 annotations of other categories (sofa)"
    )
    assert left_out.beyond("annotations of other categories")
    assert not left_out.beyond("annotations of other categories", "points without a place", "results of type 'labels'")


def test_a_long_name_is_cut() -> None:
    left_out = LeftOut()
    left_out.add("points", "x" * 500)
    assert str(left_out) == f"1 points ({'x' * (LONGEST - 1)}…)"
