"""The demo's parts that decide: who plays a part, what a report says, which link is followed."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.cli.demo.cast import READERS, Person, cast_of
from services.cli.demo.mailbox import Caught
from services.cli.demo.returning import report
from services.cli.demo.telling import Stuck
from services.delivery.bounces.parsing import Kind, read
from services.delivery.bounces.verp import Sent, token_of

SECRET = b"a secret of at least 16 characters"


def people(town: str, count: int) -> list[Person]:
    return [Person(f"{town} {i}", f"{i}@{town}.example", f"{town}-{i}", town) for i in range(count)]


def test_the_four_come_from_the_smallest_town_that_has_them_and_no_reader_is_one_of_them() -> None:
    cast = cast_of(
        [*people("lyon", 9), *people("agen", 3), *people("albi", 5), *people("metz", 20)]
    )
    assert cast.town == "albi"
    four = set(cast.persons.values())
    assert len(four) == 4
    assert {one.town for one in four} == {"albi"}
    assert len(set(cast.readers)) == READERS
    assert not four & set(cast.readers)


@pytest.mark.parametrize("left", [people("agen", 3) + people("albi", 3), people("pau", 15)])
def test_a_demo_that_used_its_people_up_says_to_begin_again(left: list[Person]) -> None:
    with pytest.raises(Stuck, match="empty --folder"):
        cast_of(left)


def test_the_report_of_a_mail_that_comes_back_is_read_as_its_failure() -> None:
    run_id, member_id = uuid4(), uuid4()
    token = token_of(SECRET, Sent(run_id, member_id))
    message_id = f"<{run_id.hex}.{member_id.hex}@muster.example>"
    raw = report("zoe@x.example", f"b+{token}@bounces.example.org", message_id)
    found = read(raw)
    assert found.kind is Kind.FAILURE
    assert [(one.address, one.code) for one in found.told] == [("zoe@x.example", "5.1.1")]
    assert found.tokens == (token,)
    assert found.sent == (Sent(run_id, member_id),)


def test_links_are_found_by_their_kind() -> None:
    html = (
        '<a href="https://muster.example/t/one?a=1&amp;b=2">x</a>'
        '<img src="https://muster.example/o/two.gif"><a href="mailto:x@x.example">y</a>'
    )
    mail = Caught("b@x.example", "<1@x.example>", html)
    assert mail.link("t") == "https://muster.example/t/one?a=1&b=2"
    assert mail.link("o") == "https://muster.example/o/two.gif"
    with pytest.raises(Stuck, match="/u/"):
        mail.link("u")
