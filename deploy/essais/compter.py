#!/usr/bin/env python3
"""Combien de fois chaque texte de CHARGE (lignes JSON) se lit dans les e-mails de BOITE, partie texte. Sort en échec si ce n'est pas une fois.
Un e-mail montre cinquante notifications au plus, et dit combien il y en a de plus : autant de textes peuvent manquer, ni plus ni moins.
Usage : compter.py CHARGE BOITE"""
import collections
import email
import email.policy
import json
import pathlib
import re
import sys

attendus = {l["texte"] for l in map(json.loads, open(sys.argv[1])) if l["genre"] == "notification" and l["statut"] == 201}
vus, messages, identifiants, tus = collections.Counter(), 0, collections.Counter(), 0
for fichier in pathlib.Path(sys.argv[2]).glob("*.eml"):
    message = email.message_from_bytes(fichier.read_bytes(), policy=email.policy.default)
    messages += 1
    identifiants[message["Message-ID"]] += 1
    texte = re.sub(r"\s+", " ", message.get_body(("plain",)).get_content())
    vus.update(re.findall(r"Message [0-9a-f-]{36}", texte))
    tus += sum(map(int, re.findall(r"Et (\d+) de plus dans l’application", texte)))
perdus = len(attendus - set(vus)) - tus  # moins que zéro : un e-mail en annonce qui n'existent pas
doubles = [t for t, n in vus.items() if n > 1]
print(f"{len(attendus)} notifications acceptées, {messages} e-mails, {tus} d'entre elles comptées sans leur texte, {perdus} perdues, {len(doubles)} doublées, "
      f"{sum(n > 1 for n in identifiants.values())} Message-ID vus deux fois")
sys.exit(bool(perdus or doubles or not attendus))
