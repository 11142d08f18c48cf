"""The API does what its OpenAPI document says, whatever is sent: tried by programs that know nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from keyfob.cdms.routes import ROUTES, SCOPES
from keyfob.cdms.shapes import SCHEMAS

PROGRAM = Path(sys.executable).with_name("st")
EXAMPLES = os.environ.get("KEYFOB_EXAMPLES", "3")
"""For each operation; what stands at a bound of the document comes on top."""
SEED = os.environ.get("KEYFOB_SEED", "1")
STUDY = "/v1/studies/KF.DEMO"
# What is in its form may still be refused for what there is (RFC 9110: 404, 409, 412, 422; RFC 6585: 428). A 400 may
# not, but for a number above high_water, a cursor of nobody and a name of what is no character, which no schema can
# tell; nor may a 415, but for ODM, which the document does not describe.
CONFIG = """headers = {{ Authorization = "Bearer ${{CDMS_TOKEN}}" }}
parameters = {parameters}

[phases.coverage]
unexpected-methods = ["DELETE"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "404", "409", "412", "422", "428"]

[[operations]]
include-operation-id = [
  "list_subjects", "get_changes", "get_audit", "get_clinical_data", "post_clinical_data", "put_version", "get_batch",
  "get_dataset", "patch_dataset",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "404", "409", "412", "422", "428"]
"""


@pytest.fixture(scope="module")
def with_data(shared_api, demo_study, tmp_path_factory):
    data = tmp_path_factory.mktemp("data") / "data.xml"
    data.write_bytes(demo_study("data"))
    shared_api.run("load", data)
    return shared_api


@pytest.fixture(scope="module")
def described(with_data):
    return with_data.get("/openapi.json", anonymous=True).document


def test_the_description_is_an_openapi_document(described):
    """OpenAPI 3.1; each operation with its scope, and with the shape of whatever JSON it gives."""
    OpenAPIV31SpecValidator(described).validate()
    operations = [one for item in described["paths"].values() for one in item.values()]
    assert len({one["operationId"] for one in operations}) == len(operations) == len(ROUTES)
    scopes = described["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert scopes == SCOPES
    for operation in operations:
        for status, answer in operation["responses"].items():
            shape = answer.get("content", {}).get("application/json")
            assert shape is None or "schema" in shape or operation["operationId"] in ("openapi", "resource_metadata"), (
                operation["operationId"], status,
            )  # fmt: skip


def test_what_is_answered_has_the_shape_that_is_described(with_data, described):
    """An example of each that a client reads, and of nothing more than what is described."""
    subject = with_data.get(f"{STUDY}/subjects").document["items"][0]["subject_id"]
    group = f"{STUDY}/subjects/{subject}/events/SE.SCREEN/forms/F.DM/item-groups/IG.DM"
    read = {
        "Studies": "/v1/studies", "StudyDetails": STUDY, "Sites": f"{STUDY}/sites", "Site": f"{STUDY}/sites/701",
        "Subjects": f"{STUDY}/subjects?limit=2", "Subject": f"{STUDY}/subjects/{subject}", "ItemGroup": group,
        "Changes": f"{STUDY}/changes", "AuditTrail": f"{STUDY}/audit?limit=1000", "Problem": "/v1/studies/NONE",
        "About": "/v1/about", "Health": "/healthz",
    }  # fmt: skip
    for name, path in read.items():
        closed = {one: {**schema, "additionalProperties": False} for one, schema in SCHEMAS.items()}
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": closed}}
        jsonschema.validate(json.loads(with_data.get(path).body), schema)


def test_nothing_is_found_in_the_clinical_data_api(with_data, tmp_path):
    subject = with_data.get(f"{STUDY}/subjects").document["items"][0]["subject_id"]
    known = {
        "study": "KF.DEMO", "site": "701", "version": "MDV.1", "subject_id": subject, "event": "SE.SCREEN",
        "form": "F.DM", "group": "IG.DM",
    }  # fmt: skip
    given = "{ " + ", ".join(f'"path.{name}" = "{value}"' for name, value in known.items()) + " }"
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(parameters=given))
    # One thread: CPython 3.11 parses its own source in one at a time only (python/cpython#106905).
    bounds = ("--max-examples", EXAMPLES, "--seed", SEED, "--phases", "coverage,fuzzing", "--workers", "1")
    shown = ("--no-color", "--no-shrink", "--continue-on-failure", "--warnings", "off")
    trusted = ("--tls-verify", str(with_data.issuer.ca))
    done = subprocess.run(
        [PROGRAM, "run", f"{with_data.resource}/openapi.json", *bounds, *trusted, *shown],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"CDMS_TOKEN": with_data.token()},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # All but the document itself, which is asked for in any case.
    assert done.stdout.count(f" {len(ROUTES) - 1} passed") == 2, f"not each was tried in both ways: {done.stdout}"
    assert "Traceback" not in with_data.log
    assert with_data.run("audit", "verify", "KF.DEMO")["whole"] is True
