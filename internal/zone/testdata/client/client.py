"""A client of the policy API, written from api/openapi.yaml alone.

It shares nothing with policypin: another language, its standard library, and the
contract. It creates policies, versions and a policy set, activates a version,
reads every list in both directions, and archives what it may.

    python3 client.py URL ZONE

takes the client credentials from KEYCARD_API_CLIENT_ID and
KEYCARD_API_CLIENT_SECRET, prints what it made as JSON, and ends with status 1
when an answer isn't as the contract says.
"""

import base64
import hashlib
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

SCHEMA = "2026-06-18"
PERMIT = "permit (principal is Keycard::User, action, resource is Keycard::Resource);"
FORBID = "forbid (principal, action, resource);"


class Refused(Exception):
    """An answer with an error of the API."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body.get('code', body.get('error'))}: {body.get('message', '')}")
        self.status = status
        self.body = body


class Client:
    """Speaks to one zone."""

    def __init__(self, base, zone, client_id, client_secret):
        self.base = base
        self.zone = base + "/zones/" + urllib.parse.quote(zone, safe="")
        form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        answer, _ = self.send("POST", base + "/service-account-token", form, {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Basic " + basic,
        })
        self.token = answer["access_token"]

    def send(self, method, url, data=None, headers=None):
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response), response.headers
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, json.load(error)) from None

    def call(self, method, *path, body=None, query=None, if_match=None):
        url = "/".join([self.zone] + [urllib.parse.quote(p, safe="") for p in path])
        if query:
            url += "?" + urllib.parse.urlencode(query, doseq=True)
        headers = {"Authorization": "Bearer " + self.token}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        if if_match:
            headers["If-Match"] = if_match
        answer, received = self.send(method, url, data, headers)
        self.etag = received.get("ETag")
        return answer

    def forward(self, *path, **query):
        """All rows of a list, page by page with after."""
        cursor, rows = None, []
        while True:
            page = self.call("GET", *path, query=query | ({"after": cursor} if cursor else {}))
            rows += page["items"]
            cursor, seen = page["pagination"]["after_cursor"], cursor
            if cursor is None:
                return rows, page["pagination"]
            expect(cursor != seen, "a cursor repeats")

    def backward(self, cursor, *path, **query):
        """All rows before a cursor, page by page, in the list's order."""
        rows = []
        while cursor is not None:
            page = self.call("GET", *path, query=query | {"before": cursor})
            rows = page["items"] + rows
            cursor = page["pagination"]["before_cursor"]
        return rows


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def refused(status, code, function, *args, **kwargs):
    """Calls what has to be refused."""
    try:
        function(*args, **kwargs)
    except Refused as error:
        expect(error.status == status, f"refused with {error}, want {status}")
        expect(error.body["status"] == status and error.body["message"], f"the error's body is {error.body}")
        expect(code in (None, error.body["code"]), f"refused with {error}, want {code}")
        return
    raise AssertionError(f"{args} was accepted, want {status}")


def both_ways(client, *path, key="id", **query):
    """Reads a list both ways, with small pages; returns its rows."""
    whole = client.call("GET", *path, query=query | {"limit": 100, "expand[]": "total_count"})
    want = [row[key] for row in whole["items"]]
    expect(whole["pagination"]["total_count"] == len(want), f"{path}: total_count")
    expect(len(want) == len(set(want)), f"{path}: a row is there twice")
    for order in ("desc", "asc"):
        for limit in (1, 2):
            rows, last = client.forward(*path, limit=limit, order=order, **query)
            ids = [row[key] for row in rows]
            expect(ids == (want if order == "desc" else want[::-1]), f"{path}, {order}, by {limit}: {ids}, want {want}")
            # The last page has `tail` rows; everything else is before it.
            tail = len(ids) % limit or limit
            rows = client.backward(last["before_cursor"], *path, limit=limit, order=order, **query)
            expect([row[key] for row in rows] == ids[:len(ids) - tail], f"{path}, {order}, backward by {limit}")
    return whole["items"]


def publish(client):
    """Policies and their versions, a set and its versions, and an activation."""
    default = client.call("GET", "policy-schemas", query={"filter[default]": "true"})["items"]
    expect([s["version"] for s in default] == [SCHEMA], "the default schema")
    made = {"policies": [], "versions": []}
    for n in range(5):
        policy = client.call("POST", "policies", body={"name": f"client-{n}", "description": "From another language."})
        expect(policy["latest_version"] is None and client.etag, "a new policy")
        version = client.call("POST", "policies", policy["id"], "versions",
                              body={"schema_version": SCHEMA, "cedar_raw": PERMIT})
        expect(version["version"] == 1 and version["policy_id"] == policy["id"], "a first version")
        made["policies"].append(policy["id"])
        made["versions"].append(version["id"])
    refused(409, "policy_name_conflict", client.call, "POST", "policies", body={"name": "client-0"})
    refused(400, "invalid_cedar", client.call, "POST", "policies", made["policies"][0], "versions",
            body={"schema_version": SCHEMA, "cedar_raw": "permit ("})

    # What is read back, sent as JSON, is the same content.
    first = client.call("GET", "policies", made["policies"][0], "versions", made["versions"][0])
    again = client.call("POST", "policies", made["policies"][0], "versions",
                        body={"schema_version": SCHEMA, "cedar_json": first["cedar_json"]})
    expect(again["version"] == 2 and again["sha"] == first["sha"], "the same content has the same hash")
    client.call("POST", "policies", made["policies"][0], "versions",
                body={"schema_version": SCHEMA, "cedar_raw": FORBID})

    created = client.call("POST", "policy-sets", body={"name": "from-python"})
    tag = client.etag
    renamed = client.call("PATCH", "policy-sets", created["id"], body={"name": "client-set"}, if_match=tag)
    expect(renamed["name"] == "client-set", "the new name")
    refused(412, None, client.call, "PATCH", "policy-sets", created["id"], body={"name": "late"}, if_match=tag)
    made["set"], made["set_versions"] = created["id"], []
    for n in range(3):
        entries = [{"policy_id": p, "policy_version_id": v}
                   for p, v in zip(made["policies"][n:], made["versions"][n:])]
        version = client.call("POST", "policy-sets", created["id"], "versions",
                              body={"schema_version": SCHEMA, "manifest": {"entries": entries}})
        check_version(client, version, n + 1, entries)
        made["set_versions"].append(version["id"])
    active = client.call("PATCH", "policy-sets", created["id"], "versions", made["set_versions"][1],
                         body={"active": True})
    expect(active["active"] is True, "the version is active")
    sets = client.call("GET", "policy-sets", query={"filter[active]": "true"})["items"]
    expect([(s["id"], s["active_version_id"]) for s in sets] == [(created["id"], made["set_versions"][1])],
           "one active set")
    return made


def check_version(client, version, number, entries):
    """A set version is what was asked for, and its hashes are right."""
    expect(version["version"] == number and version["active"] is False, "a new set version")
    pinned = version["manifest"]["entries"]
    expect([{k: e[k] for k in ("policy_id", "policy_version_id")} for e in pinned] == entries, "the entries' order")
    # RFC 8785 is, for objects of plain text, sorted keys without spaces.
    canonical = json.dumps({"entries": pinned}, sort_keys=True, separators=(",", ":")).encode()
    expect(hashlib.sha256(canonical).hexdigest() == version["manifest_sha"], "manifest_sha")
    statement = version["attestation"]
    expect(statement["manifest_sha"] == version["manifest_sha"] and statement["policy_set_version"] == number
           and statement["policy_set_id"] == version["policy_set_id"] and statement["status"] == "created",
           "the attestation")


def read(client, made):
    """Every list, in both directions."""
    policies = both_ways(client, "policies")
    expect({p["id"] for p in policies} >= set(made["policies"]), "the list has the new policies")
    both_ways(client, "policies", **{"filter[owner_type]": "customer", "query[name]": "CLIENT"})
    versions = both_ways(client, "policies", made["policies"][0], "versions", format="cedar")
    expect([v["version"] for v in versions] == [3, 2, 1], "numbers without gaps")
    expect(all(v["cedar_json"] is None and v["cedar_raw"] for v in versions), "format=cedar")
    both_ways(client, "policy-sets")
    numbers = both_ways(client, "policy-sets", made["set"], "versions")
    expect([v["version"] for v in numbers] == [3, 2, 1], "numbers without gaps")
    pinned = both_ways(client, "policy-sets", made["set"], "versions", made["set_versions"][0], "policies")
    expect({v["id"] for v in pinned} == set(made["versions"]), "the pinned versions")
    both_ways(client, "policy-schemas", key="version")


def archive(client, made):
    """Archives what isn't in use, and is refused what is."""
    set_path = ("policy-sets", made["set"])
    refused(400, None, client.call, "DELETE", *set_path, "versions", made["set_versions"][1])
    refused(409, "conflict", client.call, "DELETE", *set_path)
    refused(400, None, client.call, "DELETE", "policies", made["policies"][1], "versions", made["versions"][1])
    archived = client.call("DELETE", *set_path, "versions", made["set_versions"][0])
    expect(archived["archived_at"] and archived["archived_by"], "archived")
    refused(400, "version_archived", client.call, "PATCH", *set_path, "versions", made["set_versions"][0],
            body={"active": True})
    client.call("DELETE", "policies", made["policies"][0], "versions", made["versions"][0])
    gone = client.call("DELETE", "policies", made["policies"][0])
    expect(gone["archived_at"], "archived")
    listed = both_ways(client, "policies")
    expect(made["policies"][0] not in {p["id"] for p in listed}, "an archived policy isn't listed")
    expect(client.call("GET", "policies", made["policies"][0])["archived_at"], "an archived policy can be read")
    refused(404, None, client.call, "GET", "policies", "pol/lost?")


def main(base, zone):
    client = Client(base, zone, os.environ["KEYCARD_API_CLIENT_ID"], os.environ["KEYCARD_API_CLIENT_SECRET"])
    made = publish(client)
    read(client, made)
    archive(client, made)
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, AssertionError) as error:
        sys.exit(f"error: {error}")
