"""`keyfob-cdms dataset`: datasets that come from outside, and what describes them."""

import contextlib
from pathlib import Path

import click

from keyfob import command
from keyfob.cdms import loading
from keyfob.cdms.datasets import describing
from keyfob.cdms.handlers.designs import design_of
from keyfob.cdms.installation import Installation
from keyfob.cdms.odm import datasets
from keyfob.cdms.odm.model import Design, OdmError
from keyfob.cdms.options import PATH, Ground, home_option, open_home
from keyfob.command import Result, shows_result
from keyfob.problem import Misuse, Problem

_MAX_FILE_BYTES = 256 * 1024 * 1024


@click.group(short_help="The datasets that come from outside.")
def dataset() -> None:
    """The datasets of a study that come from outside, a laboratory's for one."""


@dataset.command("add", short_help="Add external datasets to the design of a study.")
@click.argument("study")
@click.argument("files", type=PATH, nargs=-1, required=True, metavar="FILE...")
@home_option
@click.option("--subject", metavar="COLUMN", help="The column of the subject's key.  [default: USUBJID or SUBJID]")
@click.option("--visit", metavar="COLUMN", help="The key column of the visit.  [default: VISITNUM where it is a key]")
@click.option("--only", metavar="NAME", multiple=True, help="Of Define-XML this dataset; may be given several times.")
@click.option("--version", "new_version", metavar="OID", help="The new metadata version.  [default: OLD+DATASETS]")
@click.option("--draft", is_flag=True, help="Do not make the version live yet.")
@click.pass_obj
@shows_result
def add_dataset(
    ground: Ground, *, study: str, files: tuple[Path, ...], home: Path, subject: str | None, visit: str | None,
    only: tuple[str, ...], new_version: str | None, draft: bool,
) -> Result:  # fmt: skip
    """Add to the design of STUDY (its OID) the datasets that each FILE describes, as external ones.

    A FILE is Dataset-JSON (JSON, NDJSON or .dsjc; its rows are not read) or Define-XML. The design becomes a new
    metadata version, with an event, a form and an item group for each dataset; its columns are the items. Clients with
    the scope lab-data:write, and the form in their grant, may then add rows. Of Define-XML all datasets are added that
    have the subject's column, or --only some.

    \b
    Example:
      keyfob-cdms dataset add S.1 lb.json --home ./cdms
    """
    described = [one for path in files for one in _described(path, subject, visit, only)]
    with contextlib.closing(open_home(home, ground)) as found:
        body, live = _live(found, study)
        if all(_is_there(live, one) for one in described):
            return _result(study, live.version_oid, described, "unchanged")
        version = new_version or "+".join([live.version_oid, *(one.name for one in described)])
        try:
            extended = describing.extend(
                body, study=study, version=live.version_oid, new_version=version, datasets=described,
                now=ground.clock(),
            )  # fmt: skip
        except OdmError as wrong:
            raise Problem(wrong.code, f"the design of {study}: {wrong.message}") from None
        except ValueError as wrong:
            raise Problem(
                "dataset-exists", str(wrong), hint="change the design itself, and load it as another version"
            ) from None
        loading.load(
            found.store, Path(f"{study} {version}"), extended, study_key=None, draft=draft, now=ground.clock(),
            entropy=ground.entropy, operator=command.system_user(),
        )  # fmt: skip
    return _result(study, version, described, "draft" if draft else "live")


def _described(path: Path, subject: str | None, visit: str | None, only: tuple[str, ...]) -> list[describing.Outside]:
    body = command.read_file(path, max_bytes=_MAX_FILE_BYTES)
    try:
        return describing.read(body, subject=subject, visit=visit, only=only)
    except OdmError as unreadable:
        raise Problem(unreadable.code, f"{path}: {unreadable.message} {unreadable.where}".rstrip()) from None
    except ValueError as wrong:
        raise Misuse("bad-dataset", f"{path}: {wrong}", hint="see --help") from None


def _live(found: Installation, study: str) -> tuple[bytes, Design]:
    with found.store.reading() as reading:
        known = reading.find_study(oid=study)
        if known is None or known.live_version is None:
            have = ", ".join(one.oid for one in reading.studies() if one.live_version) or "none yet"
            raise Misuse("unknown-study", f"there is no study {study} with a live design", hint=f"studies here: {have}")
        stored = reading.find_version(study, known.live_version)
        assert stored is not None
        return stored[0], design_of(reading, study, known.live_version)


def _is_there(live: Design, one: describing.Outside) -> bool:
    """Whether the design has the dataset, with every column that is described."""
    known = datasets.find(live, one.oid)
    if known is None or not known.external:
        return False
    has = {(column.oid, column.name, column.data_type, column.key_sequence) for column in known.columns}
    return all((column.oid, column.name, column.data_type, column.key_sequence) in has for column in one.columns)


def _result(study: str, version: str, described: list[describing.Outside], state: str) -> Result:
    document = {"study": study, "version": version, "state": state, "datasets": [one.oid for one in described]}
    named = ", ".join(f"{one.oid} ({len(one.columns)} columns)" for one in described)
    return Result(document, f"{study} version {version}: {state}; {named}")
