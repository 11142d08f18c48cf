"""What happens, in the order in which it happens between an operator, a partner and a clinical data API."""

import json
import shutil
import socket
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keyfob import client_secret
from keyfob.ambient import system_clock, system_entropy
from keyfob.demo import partner_key, raw
from keyfob.demo.partner_key import PartnerKey
from keyfob.demo.stage import DemoFailed, Stage
from keyfob.oauth import client_authentication, client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys, seal
from keyfob.openpgp.unseal import GpgUnsealer, PrivateKeyUnsealer
from keyfob.problem import Problem
from keyfob.secret import Secret

SCOPES = "studies:read subjects:read subjects:write clinical-data:read clinical-data:write"
_ODM = "{http://www.cdisc.org/ns/odm/v1.3}"
_IDENTIFYING = "I.BRTHDAT"
CA = "operator/tls/ca.pem"


@dataclass(frozen=True, slots=True)
class Scene:
    """What later acts need to know of the earlier ones."""

    issuer: str
    api: str
    study: str
    client_id: str
    operator_fingerprint: str
    partner: PartnerKey


def set_up(stage: Stage) -> Scene:
    """Both servers running, one client created, its credential in the partner's vault."""
    issuer, api = (f"https://localhost:{_port(preferred)}" for preferred in (8443, 9443))

    stage.act("The operator makes an authorization server")
    stage.run("operator", "keyfob-server", "init", "--home", "operator", "--issuer", issuer)
    stage.start("operator", "keyfob-server", "serve", "--home", "operator")

    stage.act("The clinical data API describes itself, loads a study, and is registered")
    stage.run("api", "keyfob-cdms", "init", "--home", "cdms", "--issuer", issuer, "--resource", api, "--ca", CA)
    study = _write_studies(stage.folder)
    stage.run("api", "keyfob-cdms", "load", "--home", "cdms", "design.xml", "other-design.xml")
    stage.run("operator", "keyfob-server", "resource", "add", "cdms/resource.json", "--home", "operator")
    stage.start("api", "keyfob-cdms", "serve", "--home", "cdms")

    stage.act("The partner makes an OpenPGP key, and tells its fingerprint by another way")
    partner = partner_key.make(stage)
    stage.show(f"fingerprint: {certificates.show_fingerprint(partner.fingerprint)}")

    stage.act("The operator onboards the partner: a sealed, signed message comes out, and nothing else")
    stage.run(
        "operator",
        *("keyfob-server", "partner", "add", "Example CRO", "--home", "operator"),
        *("--certificate", "partner.asc", "--email", "data@cro.example"),
        *("--confirm-fingerprint", partner.fingerprint),
    )
    _create_client(stage, api, study, "edc-sync", "credentials.asc")
    client_id = _newest_client(stage)
    fingerprint = _operator_fingerprint(stage)
    _show_message(stage, "credentials.asc")

    stage.act("The partner receives it: signature checked, opened, kept under a key of its own")
    stage.environment |= {"KEYFOB_CA_FILE": str(stage.folder / CA), "KEYFOB_VAULT": str(stage.folder / "vault")}
    stage.show("(from here on KEYFOB_CA_FILE names the API's authority, and KEYFOB_VAULT the vault)")
    _receive(stage, partner, "credentials.asc", fingerprint)
    return Scene(issuer, api, study, client_id, fingerprint, partner)


def work(stage: Stage, scene: Scene) -> None:
    """The partner's day: studies, subjects, clinical data in and out."""
    base = f"{scene.api}/v1/studies/{scene.study}"
    stage.act("The partner calls: each time with a token for just what the call needs")
    stage.run("partner", "keyfob", "call", "GET", f"{scene.api}/v1/studies", shows=scene.study)
    for key, site in _subjects(stage.folder / "data.xml"):
        body = stage.folder / f"subject-{key}.json"
        body.write_text(json.dumps({"key": key, "site": site}), encoding="utf-8")
        stage.run("partner", "keyfob", "call", "POST", f"{base}/subjects", "--data", body.name, shows="sub_")
    stage.run("partner", "keyfob", "call", "POST", f"{base}/clinical-data", "--data", "data.xml", shows="stored")
    back = stage.run("partner", "keyfob", "call", "GET", f"{base}/clinical-data", shows="<ODM").stdout
    sent, returned = _values((stage.folder / "data.xml").read_text(encoding="utf-8")), _values(back)
    withheld = Counter({value: count for value, count in sent.items() if value[0] == _IDENTIFYING})
    if sent != returned + withheld or not withheld:
        raise DemoFailed("the data that came back are not the data that were sent")
    stage.show(
        f"all {sum(returned.values())} values came back as they were sent; {sum(withheld.values())} birth dates are",
        "withheld: they identify a person, and the scope identifiers:read was not granted",
    )


def refusals(stage: Stage, scene: Scene) -> None:
    """What must not work, does not."""
    ca, base = stage.folder / CA, f"{scene.api}/v1/studies"
    stage.act("What is refused: wrong hands")
    _refuse_impostors(stage, scene)
    stage.act("What is refused: more than was granted")
    good = _token(stage, "studies:read")
    bearer = {"authorization": f"Bearer {good.reveal()}"}
    shown = "Authorization: Bearer (a good token)"
    url = f"{base}/{scene.study}/audit"
    raw.request(stage, ca, "GET", url, shown_as=f"GET {url}  {shown}", status=403, shows="audit:read", headers=bearer)
    url = f"{base}/OTHER"
    raw.request(stage, ca, "GET", url, shown_as=f"GET {url}  {shown}", status=404, headers=bearer)
    stage.run("partner", "keyfob", "call", "GET", f"{base}/{scene.study}/audit", "--scope", "audit:read", status=1)

    stage.act("What is refused: unsafe ways")
    insecure = base.replace("https://", "http://")
    stage.run("partner", "keyfob", "call", "GET", insecure, status=2, shows="https")
    tampered = _tamper(good)
    shown_as = f"GET {base}  Authorization: Bearer (the same token, one character changed)"
    headers = {"authorization": f"Bearer {tampered.reveal()}"}
    raw.request(stage, ca, "GET", base, shown_as=shown_as, status=401, shows="invalid_token", headers=headers)
    _refuse_spare(stage, scene)


def rotation(stage: Stage, scene: Scene) -> None:
    """A new secret while the old one still works: no instance of the partner ever breaks."""
    stage.act("Rotation: both secrets are alive until the last instance has changed over")
    old = {"KEYFOB_VAULT": str(stage.folder / "vault-of-another-instance")}
    shutil.copytree(stage.folder / "vault", old["KEYFOB_VAULT"])
    stage.run(
        "operator", "keyfob-server", "client", "rotate", scene.client_id, "--home", "operator", "--out", "next.asc"
    )
    _receive(stage, scene.partner, "next.asc", scene.operator_fingerprint)
    call = ("keyfob", "call", "GET", f"{scene.api}/v1/studies")
    stage.run("partner", *call, shows=scene.study)
    stage.run("partner", *call, shows=scene.study, environment=old)
    stage.run("operator", "keyfob-server", "client", "show", scene.client_id, "--home", "operator")
    stage.run("operator", "keyfob-server", "client", "rotate", "--finish", scene.client_id, "--home", "operator")
    stage.run("partner", *call, status=1, shows="invalid_client", environment=old)
    stage.run("partner", *call, shows=scene.study)


def evidence(stage: Stage, scene: Scene) -> None:
    """Revocation, and the record of it all."""
    stage.act("The operator revokes the client, and shows that the record of it all is whole")
    stage.run("operator", "keyfob-server", "client", "revoke", scene.client_id, "--home", "operator")
    call = ("keyfob", "call", "GET", f"{scene.api}/v1/studies")
    stage.run("partner", *call, status=1, shows="invalid_client")
    stage.run("operator", "keyfob-server", "audit", "tail", "--home", "operator")
    stage.run("operator", "keyfob-server", "audit", "verify", "--home", "operator")


def _refuse_impostors(stage: Stage, scene: Scene) -> None:
    """A message by somebody else, a message for somebody else, a server that is somebody else."""
    now = system_clock()
    forged = stage.folder / "forged.asc"
    recipient = certificates.check(scene.partner.certificate.read_bytes(), now=now)
    impostor, _ = keys.generate_operator_key("Somebody else")
    # In all but its signature it is the operator's next message, and leads the partner's calls elsewhere.
    lure = ClientInformation(
        client_id=scene.client_id,
        client_secret=client_secret.make("forgedForged", system_entropy(32)),
        client_id_issued_at=now,
        client_secret_expires_at=0,
        issuer=scene.issuer,
        token_endpoint="https://impostor.example/oauth2/token",  # noqa: S106  # a URL
        scope=frozenset(SCOPES.split()),
        resource=(scene.api,),
        credential_id="forgedForged",
        message_id="msg_forged",
        issued_at=now + 1,
        recipient_fingerprint=recipient.fingerprint,
    )
    message = client_information.write(lure)
    forged.write_bytes(seal.seal(message, recipient=recipient, operator_key=impostor))
    receive = ("keyfob", "receive", "forged.asc", "--key", "file", *scene.partner.options)
    stage.run("partner", *receive, *_operator(scene.operator_fingerprint), status=1, shows="sign")

    other, _ = keys.generate_operator_key("Another partner <data@other.example>")  # of a kind that is there at once
    path = stage.folder / "another-partner.asc"
    path.touch(mode=0o600)
    path.write_bytes(other.reveal_bytes())
    receive = ("keyfob", "receive", "credentials.asc", "--key", "file", "--private-key", path.name)
    elsewhere = {"KEYFOB_VAULT": str(stage.folder / "vault-of-another-partner")}
    stage.run("another", *receive, *_operator(scene.operator_fingerprint), status=1, environment=elsewhere)

    stage.run("operator", "keyfob-server", "init", "--home", "impostor", "--issuer", scene.issuer, quiet=True)
    wrong = {"KEYFOB_CA_FILE": "impostor/tls/ca.pem"}
    stage.run("partner", "keyfob", "call", "GET", f"{scene.api}/v1/studies", status=1, environment=wrong)


def _refuse_spare(stage: Stage, scene: Scene) -> None:
    """A spare client with tokens of one second: one expires, and its secret is exposed in a URL and revoked."""
    ca, base = stage.folder / CA, f"{scene.api}/v1/studies"
    _create_client(stage, scene.api, scene.study, "spare", "spare.asc", "--token-lifetime", "1")
    spare_id = _newest_client(stage)
    spare = {"KEYFOB_VAULT": str(stage.folder / "vault-of-the-spare")}
    _receive(stage, scene.partner, "spare.asc", scene.operator_fingerprint, environment=spare)
    headers = {"authorization": f"Bearer {_token(stage, 'studies:read', spare).reveal()}"}
    raw.until_refused(ca, base, headers)
    shown_as = f"GET {base}  Authorization: Bearer (a token of one second, two seconds later)"
    raw.request(stage, ca, "GET", base, shown_as=shown_as, status=401, shows="invalid_token", headers=headers)

    info = open_message(stage, scene, "spare.asc")
    assert info.client_secret is not None
    url = f"{info.token_endpoint}?client_id={info.client_id}&client_secret={info.client_secret.reveal()}"
    shown_as = f"POST {info.token_endpoint}?client_id={info.client_id}&client_secret=(the spare's secret)"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials"
    raw.request(stage, ca, "POST", url, shown_as=shown_as, status=400, headers=headers, body=body)
    stage.show("(that secret has been in a URL: it counts as exposed, and its client is revoked)")
    stage.run("operator", "keyfob-server", "client", "revoke", spare_id, "--home", "operator")
    basic = client_authentication.write_basic(info.client_id, info.client_secret)
    headers |= {"authorization": basic.reveal()}
    shown_as = f"POST {info.token_endpoint}  Authorization: Basic (the revoked client)"
    raw.request(
        *(stage, ca, "POST", info.token_endpoint),
        shown_as=shown_as,
        status=401,
        shows="invalid_client",
        headers=headers,
        body=body,
    )


def _create_client(stage: Stage, api: str, study: str, name: str, out: str, *options: str) -> None:
    stage.run(
        "operator",
        *("keyfob-server", "client", "create", "--home", "operator", "--partner", "Example CRO", "--name", name),
        *("--scope", SCOPES, "--resource", api, "--study", study, "--out", out, *options),
    )


def _receive(
    stage: Stage, partner: PartnerKey, message: str, fingerprint: str, *, environment: dict[str, str] | None = None
) -> None:
    stage.run(
        "partner",
        *("keyfob", "receive", message, "--key", "file", *partner.options, *_operator(fingerprint)),
        environment=environment,
    )


def _operator(fingerprint: str) -> tuple[str, ...]:
    return ("--operator-certificate", "operator/operator.asc", "--operator-fingerprint", fingerprint)


def _show_message(stage: Stage, name: str) -> None:
    content = (stage.folder / name).read_text(encoding="ascii")
    if not content.startswith("-----BEGIN PGP MESSAGE-----") or "client_secret" in content:
        raise DemoFailed(f"{name} is not sealed")
    stage.say(f"  operator$ head -3 {name}")
    stage.show(*content.splitlines()[:3])


def open_message(stage: Stage, scene: Scene, name: str) -> ClientInformation:
    """The partner's own look into a message."""
    signer = certificates.read_signer((stage.folder / "operator" / "operator.asc").read_bytes())
    message = (stage.folder / name).read_bytes()
    if scene.partner.options:
        private_key = Secret((stage.folder / scene.partner.options[1]).read_bytes())
        return client_information.read(PrivateKeyUnsealer(private_key).unseal(message, signer=signer))
    unsealer = GpgUnsealer(homedir=Path(stage.environment["GNUPGHOME"]))
    return client_information.read(unsealer.unseal(message, signer=signer))


def _token(stage: Stage, scope: str, environment: dict[str, str] | None = None) -> Secret:
    stage.say(f'  partner$ keyfob token --scope "{scope}" | …')
    shown = stage.run("partner", "keyfob", "token", "--scope", scope, environment=environment, quiet=True)
    return Secret(shown.stdout.strip())


def _tamper(token: Secret) -> Secret:
    head, body, signature = token.reveal().split(".")
    middle = len(body) // 2
    return Secret(f"{head}.{body[:middle]}{'A' if body[middle] != 'A' else 'B'}{body[middle + 1 :]}.{signature}")


def _newest_client(stage: Stage) -> str:
    listed = stage.run("operator", "keyfob-server", "client", "list", "--home", "operator", "--json", quiet=True)
    return str(json.loads(listed.stdout)["clients"][-1]["client_id"])


def _operator_fingerprint(stage: Stage) -> str:
    certificate = certificates.read_signer((stage.folder / "operator" / "operator.asc").read_bytes())
    return certificate.fingerprint


def _write_studies(folder: Path) -> str:
    """The demonstration's study and its data, and a second study that nobody is granted. The first one's OID."""
    package = resources.files("keyfob.cdms.demo_study")
    design = package.joinpath("design.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(design)  # noqa: S314  # our own file
    study = root.find(f"{_ODM}Study")
    assert study is not None
    oid = study.attrib["OID"]
    (folder / "design.xml").write_text(design, encoding="utf-8")
    (folder / "other-design.xml").write_text(design.replace(f'"{oid}"', '"OTHER"'), encoding="utf-8")
    (folder / "data.xml").write_text(package.joinpath("data.xml").read_text(encoding="utf-8"), encoding="utf-8")
    return oid


def _subjects(path: Path) -> list[tuple[str, str | None]]:
    root = ElementTree.fromstring(path.read_bytes())  # noqa: S314  # our own file
    found = []
    for subject in root.iter(f"{_ODM}SubjectData"):
        site = subject.find(f"{_ODM}SiteRef")
        found.append((subject.attrib["SubjectKey"], None if site is None else site.attrib["LocationOID"]))
    return found


def _values(document: str) -> Counter[tuple[str, str]]:
    """Every (item, value) of an ODM document and how often it stands there, read without any code of the API's."""
    root = ElementTree.fromstring(document)  # noqa: S314  # from our own API, and small
    return Counter(
        (item.attrib["ItemOID"], item.attrib["Value"])
        for item in root.iter(f"{_ODM}ItemData")
        if "Value" in item.attrib
    )


def _port(preferred: int) -> int:
    """The usual port where it is free, else any."""
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Problem("no-port", "no port of 127.0.0.1 is free")
