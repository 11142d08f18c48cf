"""SIGKILL at a hundred random moments under load: every value that a client saw stored is there, and fed."""

import threading

from nursery import nursery


def test_every_value_that_was_seen_stored_is_there(api, load, moments):
    study = "KF.DEMO"
    token = api.token()
    subject = api.register(study, "701-001", "701", token=token).document["subject_id"]
    api.stop()
    lock = threading.Lock()
    numbers = iter(range(1_000_000))
    seen: list[object] = []

    def send() -> object:
        with lock:
            number = next(numbers)
        path = f"/v1/studies/{study}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk={number}"
        body = {"items": [{"oid": "I.PAIN", "value": str(number % 11)}]}
        answer = api.request("PUT", path, body, {"if-none-match": "*"}, token=token)
        assert answer.status == 201, answer.body
        return str(number)

    modules = ("keyfob.cdms.app", "keyfob.serving.listener")
    with nursery("keyfob.cdms.cli", *modules, log=api.home.parent / "cdms.log") as servers:
        for number, enough in enumerate(moments):
            process = servers.start("serve", "--home", api.home, ready=api.resource)
            token = api.token()
            running = load(send, enough)
            running.until_killed(process)
            seen += running.acknowledged
            if number % 20 == 0:
                assert api.run("audit", "verify", study)["whole"] is True
    api.serve()
    token = api.token()
    assert api.run("audit", "verify", study)["whole"] is True
    stored = api.get(f"/v1/studies/{study}/subjects/{subject}/clinical-data", token=token).body.decode()
    missing = [number for number in seen if f'StudyEventRepeatKey="{number}"' not in stored]
    assert len(seen) >= sum(moments)
    assert missing == []
    after, fed = 0, set()
    while True:
        page = api.get(f"/v1/studies/{study}/changes?after={after}&limit=1000", token=token).document
        fed |= {one["place"]["event_repeat"] for one in page["items"]}
        if page["next_after"] == after or page["next_after"] >= page["high_water"]:
            break
        after = page["next_after"]
    assert set(seen) <= fed
