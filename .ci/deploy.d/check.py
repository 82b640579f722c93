"""What linters do not know: manifests beside Kubernetes's own schemas, and the PromQL of dashboards as rules for promtool.

check.py manifests <rendered.yaml>…    check.py dashboards <dashboard.json>… > rules.yml
"""
import json
import sys

import yaml

# The oldest version that the manifests promise (preStop.sleep), and the newest that the validator knows.
VERSIONS = ("1.30", "1.37")


def manifests(files):
    import kubernetes_validate

    failed = False
    for name in files:
        checked, custom = 0, []
        for document in filter(None, yaml.safe_load_all(open(name))):
            label = f"{document['kind']}/{document['metadata']['name']}"
            if document["apiVersion"].startswith("keda.sh/"):
                custom.append(label)
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    failed = True
                    print(f"{name}: {label} ({version}): {error.message}", file=sys.stderr)
            checked += 1
        print(f"{name}: {checked} objects; without a schema: {', '.join(custom) or 'none'}")
    return failed


def dashboards(files):
    """One recording rule a query: promtool then parses each. Grafana's own variable is given a value."""
    rules = []
    for name in files:
        board = json.load(open(name))
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)), f"{name}: a panel's id is there twice"
        queries = [(p["title"], t["expr"]) for p in board["panels"] for t in p.get("targets", [])]
        queries += [(a["name"], a["expr"]) for a in board["annotations"]["list"] if "expr" in a]
        assert queries, f"{name}: no query"
        for title, query in queries:
            rules.append({
                "record": f"check:{len(rules)}",
                "expr": query.replace("$__rate_interval", "1m"),
                "labels": {"from": f"{board['uid']}: {title}"},
            })
    yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, sys.stdout, allow_unicode=True)
    return False


if __name__ == "__main__":
    sys.exit({"manifests": manifests, "dashboards": dashboards}[sys.argv[1]](sys.argv[2:]))
