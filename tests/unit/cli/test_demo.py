"""The demo's parts that decide: who plays a part, what a report says, which link is followed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from services.cli.demo.cast import READERS, Person, cast_of
from services.cli.demo.mailbox import Caught
from services.cli.demo.returning import report
from services.cli.demo.router import Router
from services.cli.demo.telling import Stuck
from services.delivery.bounces.parsing import Kind, read
from services.delivery.bounces.verp import Sent, token_of
from services.supplier.domain.results import LetterOutcome, Rejected, Reported, read_results

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


FILE = "reference;recipient\r\n7;Zoé\r\n9;Léa\r\n12;Max\r\n13;Ida\r\n".encode("windows-1252")


def router_with(folder: Path, **says: object) -> Router:
    manifest = {
        "rows": 4,
        "bytes": len(FILE),
        "sha256": sha256(FILE).hexdigest(),
        "encoding": "windows-1252",
        "separator": ";",
    }
    (folder / "C-7.csv").write_bytes(FILE)
    (folder / "C-7.csv.manifest.json").write_bytes(orjson.dumps(manifest | says))
    return Router(folder)


def test_a_printer_takes_a_file_that_is_what_its_manifest_says_and_no_other(tmp_path: Path) -> None:
    router = router_with(tmp_path)
    assert (router.arrived("C-7.csv"), router.arrived("C-8.csv")) == (True, False)
    assert [row["recipient"] for row in router.take("C-7.csv").rows] == ["Zoé", "Léa", "Max", "Ida"]
    with pytest.raises(Stuck, match=r"C-7\.csv"):
        router_with(tmp_path, rows=5).take("C-7.csv")


def test_a_printers_first_result_file_has_a_bad_line_and_the_next_one_mends_it(
    tmp_path: Path,
) -> None:
    router = router_with(tmp_path)
    received = router.take("C-7.csv")
    bad, *rest = read_results(router.results(received))
    assert isinstance(bad, Rejected)
    first, *others = read_results(router.corrected(received))
    assert isinstance(first, Reported)
    assert first.outcome is LetterOutcome.SENT
    assert others == rest
    outcomes = [one.outcome for one in others if isinstance(one, Reported)]
    assert outcomes == [LetterOutcome.FAILED, LetterOutcome.FAILED, LetterOutcome.SENT]
