"""Where a router's files may be put, and that they lie there whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.supplier.courier import NotDelivered, hand_over
from services.supplier.domain.handing import handover_problem
from services.supplier.settings import SupplierSettings
from services.supplier.shelf import Item
from services.supplier.store.services import SupplierService
from topics.supplier import Ending, FileLayout, Handover, SftpServer

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGr0ThisIsNoRealKeyAtAllButLooksLikeOne"
SERVER = SftpServer(host="sftp.morel.example", username="muster", host_key=KEY)
RUN = "{number}-{run}.csv"


@pytest.mark.parametrize(
    ("handover", "folder", "sftp"),
    [
        (Handover.ATTACHED, "", None),
        (Handover.LINK, "", None),
        (Handover.FOLDER, "Morel 2", None),
        (Handover.SFTP, "", SERVER),
        (Handover.SFTP, "in/campaigns", SERVER),
        (Handover.SFTP, "/srv/in", SERVER.model_copy(update={"host": "2001:db8::1"})),
    ],
)
def test_a_place_that_can_be_used_is_taken(
    handover: Handover, folder: str, sftp: SftpServer | None
) -> None:
    assert handover_problem(handover, folder, sftp, RUN) is None


@pytest.mark.parametrize(
    ("handover", "folder", "change", "field"),
    [
        (Handover.ATTACHED, "in", None, "folder"),
        (Handover.LINK, "", {}, "sftp"),
        (Handover.FOLDER, "", None, "folder"),
        (Handover.FOLDER, "..", None, "folder"),
        (Handover.FOLDER, "a/b", None, "folder"),
        (Handover.FOLDER, "/etc", None, "folder"),
        (Handover.FOLDER, "in\n", None, "folder"),
        (Handover.FOLDER, "in", {}, "sftp"),
        (Handover.SFTP, "", None, "sftp"),
        (Handover.SFTP, "../in", {}, "folder"),
        (Handover.SFTP, "in/../../etc", {}, "folder"),
        (Handover.SFTP, "in//x", {}, "folder"),
        (Handover.SFTP, "in\0", {}, "folder"),
        (Handover.SFTP, "", {"host": "a b"}, "sftp"),
        (Handover.SFTP, "", {"host": "-oProxyCommand=x"}, "sftp"),
        (Handover.SFTP, "", {"host": "host:22"}, "sftp"),
        (Handover.SFTP, "", {"host_key": f"{KEY}\nssh-rsa AAAA"}, "sftp"),
        (Handover.SFTP, "", {"host_key": "SHA256:abcdefabcdefabcdefabcdef"}, "sftp"),
        (Handover.SFTP, "", {"username": "a\nb"}, "sftp"),
    ],
)
def test_a_place_that_could_do_harm_is_refused_with_its_field(
    handover: Handover, folder: str, change: dict[str, Any] | None, field: str
) -> None:
    sftp = None if change is None else SERVER.model_copy(update=change)
    problem = handover_problem(handover, folder, sftp, RUN)
    assert problem is not None
    assert problem[0] == field


def test_where_files_of_all_campaigns_meet_their_names_tell_the_runs_apart() -> None:
    problem = handover_problem(Handover.FOLDER, "in", None, "{number}.csv")
    assert problem is not None
    assert problem[0] == "file_pattern"


def a_service(folder: str = "Morel", sftp: SftpServer | None = None) -> SupplierService:
    return SupplierService(
        service_id=UUID(int=1),
        version=1,
        supplier="Imprimerie Morel",
        label="Letters",
        router_address="router@morel.example",
        file_pattern=RUN,
        columns=("recipient",),
        language="en",
        layout=FileLayout(),
        file_approval=False,
        handover=Handover.FOLDER,
        ending=Ending.CONFIRMATION,
        folder=folder,
        sftp=sftp,
        router_proof=False,
        supplier_id=None,
    )


def settings(outbox: Path | None) -> SupplierSettings:
    return SupplierSettings.model_validate(
        {
            "database_url": "postgresql://nowhere/none",
            "kafka_bootstrap": "nowhere:9092",
            "muster_secret_key": "a-secret-for-tests",
            "supplier_outbox": outbox,
        }
    )


ITEMS = [Item("C-1.csv", "text/csv", content=b"Zoe\r\n"), Item("C-1.json", "x/y", content=b"{}")]


async def of_item(item: Item) -> bytes:
    assert item.content is not None
    return item.content


async def put(outbox: Path | None, service: SupplierService) -> None:
    await hand_over(settings(outbox), service, Handover.FOLDER, None, ITEMS, of_item)


async def test_files_lie_in_their_router_s_folder_once_and_nobody_else_reads_them(
    tmp_path: Path,
) -> None:
    await put(tmp_path, a_service())
    (tmp_path / "Morel" / "C-1.csv").write_bytes(b"half")
    await put(tmp_path, a_service())
    assert {one.name: one.read_bytes() for one in (tmp_path / "Morel").iterdir()} == {
        "C-1.csv": b"Zoe\r\n",
        "C-1.json": b"{}",
    }
    assert (tmp_path / "Morel" / "C-1.csv").stat().st_mode & 0o007 == 0


async def test_a_link_that_leads_out_of_the_outbox_is_not_followed(tmp_path: Path) -> None:
    outbox, elsewhere = tmp_path / "outbox", tmp_path / "elsewhere"
    outbox.mkdir()
    elsewhere.mkdir()
    (outbox / "Morel").symlink_to(elsewhere)
    with pytest.raises(NotDelivered, match="SUPPLIER_OUTBOX"):
        await put(outbox, a_service())
    assert list(elsewhere.iterdir()) == []


async def test_without_an_outbox_or_a_server_it_is_said_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotDelivered, match="SUPPLIER_OUTBOX"):
        await put(None, a_service())
    for sftp, said in ((None, "no server any more"), (SERVER, "nothing signs in")):
        with pytest.raises(NotDelivered, match=said):
            await hand_over(
                settings(tmp_path), a_service("", sftp), Handover.SFTP, None, ITEMS, of_item
            )
