"""SAS transport files of public trial data as the transfers that a laboratory would make of them."""

import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

WHOLE = frozenset({"LBSEQ", "VISITDY", "LBDY"})


def transfer(path: Path, *, oid: str, keys: Sequence[str]) -> bytes:
    """Dataset-JSON 1.1 of all rows of `path` (`.xpt`, or that in gzip), as the dataset `oid`."""
    import pyreadstat  # with numpy, half a second: for who needs it

    with tempfile.NamedTemporaryFile(suffix=".xpt") as file:
        file.write(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        file.flush()
        found, described = pyreadstat.read_xport(file.name, output_format="dict")
    columns = []
    for name, values in found.items():
        is_number = any(isinstance(value, float) for value in values)
        kind = "string" if not is_number else "integer" if name in WHOLE else "float"
        column = {
            "itemOID": f"IT.{name}", "name": name, "label": described.column_names_to_labels[name], "dataType": kind,
        }  # fmt: skip
        columns.append({**column, "keySequence": keys.index(name) + 1} if name in keys else column)
        if is_number:
            found[name] = [_number(value) for value in values]
    rows = list(zip(*found.values(), strict=True))
    document = {
        "datasetJSONCreationDateTime": "2026-01-01T00:00:00Z", "datasetJSONVersion": "1.1.0", "itemGroupOID": oid,
        "records": len(rows), "name": oid.removeprefix("IG."), "label": "Chemistry", "columns": columns, "rows": rows,
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def subjects(document: bytes, *, study: str, version: str) -> bytes:
    """ODM of a study's clinical data that registers the subjects of a transfer, and holds nothing else."""
    sent = json.loads(document)
    place = [column["name"] for column in sent["columns"]].index("USUBJID")
    keys = sorted({row[place] for row in sent["rows"]})
    return (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="S" ODMVersion="1.3.2" '
        f'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="{study}" MetaDataVersionOID="{version}">'
        + "".join(f'<SubjectData SubjectKey="{key}"/>' for key in keys)
        + "</ClinicalData></ODM>"
    ).encode()


def _number(value: float | None) -> float | int | None:
    if value is None or value != value:  # NaN: SAS has no null
        return None
    return int(value) if value == int(value) else value
