"""Which runs of the fault matrix go together."""

from faults.many import choose

WAITING = [("calm", 1), ("term", 1), ("poison", 1), ("calm", 2)]


def test_the_first_goes_first() -> None:
    """Also one that must be alone, once nothing else runs."""
    assert choose(WAITING, set()) == ("calm", 1)
    assert choose(WAITING[1:], set()) == ("term", 1)
    assert choose([], set()) is None


def test_beside_others_goes_what_neither_is_the_same_nor_measures() -> None:
    """Results of a row are one file, and two runs of a row meet the same moments."""
    assert choose(WAITING, {"calm"}) == ("poison", 1)
    assert choose([("calm", 2), ("term", 1)], {"calm"}) is None


def test_nothing_goes_beside_what_measures() -> None:
    """However much waits."""
    assert choose(WAITING, {"term"}) is None
