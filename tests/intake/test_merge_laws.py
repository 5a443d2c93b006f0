"""Merging customers: in whatever order it is done and undone, who is one person with whom comes out the same."""

from __future__ import annotations

from itertools import permutations
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.identity import Identity, app_user_identity, email_identity
from services.intake.identity.merging import Families, accounts_differ

pytestmark = pytest.mark.pure

PEOPLE = tuple(UUID(int=n) for n in range(1, 7))
people = st.sampled_from(PEOPLE)
merges = st.lists(st.tuples(people, people), max_size=8)


def merged(*pairs: tuple[UUID, UUID]) -> Families:
    families = Families()
    for one, other in pairs:
        families = families.merge(one, other)
    return families


def survivors(families: Families) -> dict[UUID, UUID]:
    return {one: families.survivor(one) for one in PEOPLE}


def persons(families: Families) -> set[frozenset[UUID]]:
    return {frozenset(one for one in PEOPLE if families.survivor(one) == survivor) for survivor in survivors(families).values()}


@given(merges, people, people)
def test_merging_again_changes_nothing(before: list[tuple[UUID, UUID]], one: UUID, other: UUID) -> None:
    once = merged(*before).merge(one, other)

    assert once.merge(one, other) == once
    assert once.merge(other, one) == once
    assert once.survivor(one) == once.survivor(other)


@given(merges)
def test_the_order_of_merges_does_not_matter_for_who_is_one_person(pairs: list[tuple[UUID, UUID]]) -> None:
    expected = persons(merged(*pairs))

    assert all(persons(merged(*order)) == expected for order in list(permutations(pairs))[:120])


@given(merges, people, people, people)
def test_merging_is_associative(before: list[tuple[UUID, UUID]], a: UUID, b: UUID, c: UUID) -> None:
    families = merged(*before)

    left = families.merge(a, b).merge(b, c)
    right = families.merge(b, c).merge(a, c)

    assert persons(left) == persons(right)
    if len({families.survivor(one) for one in (a, b, c)}) == 3:
        assert survivors(left) == survivors(right)


@given(merges, people, people)
def test_undoing_a_merge_restores_what_was(before: list[tuple[UUID, UUID]], one: UUID, other: UUID) -> None:
    families = merged(*before)
    loser = families.survivor(one)

    after = families.merge(one, other)

    assert loser == after.survivor(other) or after.unmerge(loser) == families


@given(merges, st.permutations(PEOPLE))
def test_all_merges_can_be_undone_in_any_order(pairs: list[tuple[UUID, UUID]], order: list[UUID]) -> None:
    families = merged(*pairs)

    for one in order:
        families = families.unmerge(one)

    assert families == Families()


@given(merges, people)
def test_undoing_one_merge_parts_nobody_else(pairs: list[tuple[UUID, UUID]], one: UUID) -> None:
    families = merged(*pairs)

    after = families.unmerge(one)

    with_him = {other for other in PEOPLE if after.survivor(other) == after.survivor(one)}
    for a in PEOPLE:
        for b in PEOPLE:
            if (a in with_him) == (b in with_him):
                assert (families.survivor(a) == families.survivor(b)) == (after.survivor(a) == after.survivor(b)) or one in (a, b)
    assert after.survivor(one) == one


@given(merges)
def test_a_survivor_always_answers_for_himself(pairs: list[tuple[UUID, UUID]]) -> None:
    families = merged(*pairs)

    assert all(families.survivor(survivor) == survivor for survivor in survivors(families).values())


def test_who_was_not_merged_cannot_be_undone_and_nothing_changes() -> None:
    families = Families(MappingProxyType({PEOPLE[0]: PEOPLE[1]}))

    assert families.unmerge(PEOPLE[1]) == families


@pytest.mark.parametrize(
    ("ours", "theirs", "differ"),
    [
        (["u-1"], ["u-2"], True),
        (["u-1"], ["u-1"], False),
        (["u-1", "u-2"], ["u-2"], False),
        (["u-1"], [], False),
        ([], [], False),
    ],
)
def test_two_customers_with_different_accounts_are_two_persons(ours: list[str], theirs: list[str], differ: bool) -> None:
    def has(accounts: list[str]) -> list[Identity]:
        return [*map(app_user_identity, accounts), email_identity("w@example.com")]

    assert accounts_differ(has(ours), has(theirs)) is differ
