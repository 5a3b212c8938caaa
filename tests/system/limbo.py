# SPDX-License-Identifier: Apache-2.0
"""The cases of x509-limbo (tests/vectors/README.md) as Python objects."""
import calendar
import csv
import json
import pathlib
import ssl
import time

FOLDER = pathlib.Path(__file__).parents[1] / "vectors" / "x509-limbo"


class Case:
    def __init__(self, raw, tier):
        self.id = raw["id"]
        self.tier = tier
        self.roots = raw["trusted_certs"]
        self.rest = raw["untrusted_intermediates"]
        self.leaf = raw["peer_certificate"]
        self.key = raw["peer_certificate_key"]
        self.crls = raw["crls"]
        self.depth = raw["max_chain_depth"]
        self.at = seconds(raw["validation_time"])
        # an edge refuses what the tier says, whatever the case allows
        self.good = raw["expected_result"] == "SUCCESS" and tier != "strict-reject"

    def flight_bytes(self):
        return sum(len(ssl.PEM_cert_to_DER_cert(pem)) for pem in (self.leaf, *self.rest))

    def write(self, folder):
        """Its files: {"roots", "rest", "crls", "leaf"}, those that it has."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"roots": self.roots, "rest": self.rest, "crls": self.crls, "leaf": [self.leaf]}
        paths = {}
        for name, pems in texts.items():
            if pems:
                paths[name] = folder / f"{name}.pem"
                paths[name].write_text("\n".join(pems) + "\n")
        return paths


def seconds(text):
    """Unix seconds of "2024-03-01T00:00:00.999+00:00"; None: now."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) if text else None


def cases():
    with (FOLDER / "expected-client.tsv").open() as f:
        tiers = {row["id"]: row["tier"] for row in csv.DictReader(f, delimiter="\t")}
    raw = json.loads((FOLDER / "limbo-client.json").read_text())["testcases"]
    return [Case(r, tiers[r["id"]]) for r in raw]
