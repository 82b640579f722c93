"""A bill of materials, against the schema of CycloneDX and against Cargo.lock."""
import json
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1]).read()
fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
assert fault is None, fault
bom = json.loads(text)

locked = {(p["name"], p["version"]): p.get("checksum") for p in tomllib.load(open("Cargo.lock", "rb"))["package"]}
for one in bom["components"]:
    name = f"{one['name']} {one['version']}"
    assert (one["name"], one["version"]) in locked, f"{name} is not in Cargo.lock"
    checksum = locked[one["name"], one["version"]]
    assert [h["content"] for h in one.get("hashes", [])] == ([checksum] if checksum else []), f"{name}: another hash"
    # What comes from no registry is ours.
    assert checksum is None or "licenses" in one, f"{name} has no licence"

names = {one["name"] for one in bom["components"]}
for needed in ("erp-api", "erp-worker", "erp-core", "sqlx-postgres", "axum", "ring", "image"):
    assert needed in names, f"{needed} is missing"
for foreign in ("erp-dev", "erp-bench", "mailin", "s3s"):
    assert foreign not in names, f"{foreign} is for tests and development alone"
refs = {one["bom-ref"] for one in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
for one in bom["dependencies"]:
    assert {one["ref"], *one["dependsOn"]} <= refs, f"{one['ref']}: something it needs is missing"
print(f"{sys.argv[1]}: {len(bom['components'])} components, valid CycloneDX {bom['specVersion']}")
