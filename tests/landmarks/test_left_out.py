from __future__ import annotations

from lead.landmarks.left_out import LONGEST, LeftOut


def test_what_is_left_out_is_counted_by_kind_and_the_first_are_named() -> None:
    left_out = LeftOut()
    assert str(left_out) == ""
    assert not left_out.beyond()
    for number in range(1200):
        left_out.add("point without a place", f"task {number}")
    left_out.add("result of type 'labels'", count=7)
    for _ in range(2):
        left_out.add("annotation of other categories", "sofa")
    assert str(left_out) == (
        "1,200 points without a place (task 0, task 1, task 2, …); 7 results of type 'labels'; "
        "2 annotations of other categories (sofa)"
    )
    assert left_out.beyond("annotation of other categories")
    assert not left_out.beyond("annotation of other categories", "point without a place", "result of type 'labels'")


def test_a_long_name_is_cut() -> None:
    left_out = LeftOut()
    left_out.add("point", "x" * 500)
    assert str(left_out) == f"1 point ({'x' * (LONGEST - 1)}…)"
