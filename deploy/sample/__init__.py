"""The sample CRM: a seeded script, and the files it made, for the demo, the tests and the benches.

Every address is under the reserved ``.example`` domain and every telephone number is in a range
that its regulator keeps for fiction, so nothing made here can reach a person.
"""

from pathlib import Path

CRM_DIR = Path(__file__).with_name("crm")
SAMPLE_SEED = 7
