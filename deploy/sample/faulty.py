"""A small contacts file with one fault per bad row, for the path that rejects rows."""

import csv
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from deploy.sample.rows import Contact

GOOD_ROWS: Final = 12
# The field that is wrong -> the value put there. The other fields of the row are right.
FAULTS: Final = (
    ("contact_ref", ""),
    ("site_ref", "SITE-999999"),
    ("site_ref", ""),
    ("last_name", ""),
    ("email", "no-at-sign.example"),
    ("email", "two@@signs.example"),
    ("email", "line\nbreak@example.com"),
    ("email", f"{'long' * 70}@example.com"),
    ("language", "klingon"),
    ("email_consent", "perhaps"),
    ("first_name", "x" * 400),
)


def write_faulty_contacts(path: Path, contacts: Iterable[Contact]) -> None:
    """Write good rows, rows with one wrong field, a short row, a long row and a repeated reference.

    The good rows are the first of ``contacts``, unchanged: importing them again alters nothing.
    The bad ones are the next of ``contacts``; each has a reference that the good ones lack.
    """
    source = iter(contacts)
    good = list(islice(source, GOOD_ROWS))
    faulty = [
        contact._replace(**{field: value})
        for (field, value), contact in zip(FAULTS, source, strict=False)
    ]
    short, long = next(source), next(source)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Contact._fields)
        writer.writerows(good[: GOOD_ROWS // 2])
        writer.writerows(faulty)
        writer.writerow(short[:4])
        writer.writerow((*long, "one", "too many"))
        writer.writerow(good[0]._replace(first_name="Repeated"))
        writer.writerows(good[GOOD_ROWS // 2 :])
