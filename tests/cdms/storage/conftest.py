"""A real clinical database with the demonstration's study: what the storage tests begin with."""

import sys
from importlib import resources
from pathlib import Path

import pytest

from databases import open_database
from keyfob import database
from keyfob.ambient import system_entropy
from keyfob.cdms.odm import reading as odm
from keyfob.cdms.odm.model import GroupData, ItemValue
from keyfob.cdms.storage.records import Actor, Status, Subject
from keyfob.cdms.storage.schema import TABLES
from keyfob.cdms.storage.store import Store
from keyfob.cdms.storage.writing import Writing
from keyfob.secret import Secret

NOW = 1_800_000_000
STUDY = "KF.DEMO"
CHAIN_KEY = Secret(b"c" * 32)
SOMEBODY = Actor("cl_1", "jti1", None)


def open_store(where: Path | str) -> Store:
    opened = open_database(where)
    database.upgrade(opened, TABLES.migrations)
    return Store(opened, chain_key=CHAIN_KEY, entropy=system_entropy)


def add_subject(writing: Writing, key: str) -> Subject:
    made = Subject(f"sub_{key}", STUDY, key, None, Status.ENROLLED, 1)
    writing.add_subject(made, reason=None)
    return made


def put_diary(writing: Writing, subject: Subject, repeat: str, pain: str) -> None:
    """One value, in a diary of its own."""
    study = writing.take(STUDY)
    assert study is not None
    data = GroupData("SE.VISIT", repeat, "F.DIARY", None, "IG.DIARY", None, None, ())
    (row,) = writing.put_groups([(subject, data, None)], version="MDV.1")
    item = ItemValue("I.PAIN", pain, None)
    writing.put_item(study, subject, data, row, item, None, reason=None, batch=None, soft_checks=[])


@pytest.fixture
def store(new_place):
    """With the study's design, and one subject. `store.place` is where it is."""
    place = new_place()
    made = open_store(place)
    made.place = place
    body = resources.files("keyfob.cdms.demo_study").joinpath("design.xml").read_bytes()
    (design,) = odm.read(body).designs
    with made.writing(actor=Actor(None, None, "operator"), now=NOW) as writing:
        writing.add_installation("installation1", "epoch1")
        writing.put_version(design, body, "0" * 64, path_key=STUDY, live=True)
        add_subject(writing, "first")
    yield made
    made.close()


WORKER = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]
import conftest as given
store = given.open_store(sys.argv[1])
"""


@pytest.fixture
def worker():
    """The words that start another process on `store`; its script has `store`, and `given` is this module."""
    return lambda store, script, *arguments: [sys.executable, "-c", WORKER + script, str(store.place), *arguments]
