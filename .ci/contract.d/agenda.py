"""Reads the calendars of the running system with a library from elsewhere, and says what is wrong with them."""

import os
import urllib.request
from datetime import timedelta, timezone
import json

from icalendar import Calendar

API = os.environ["API_URL"] + "/api/v1"
TOKEN = os.environ["TOKEN"]


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(API + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8", answer.headers
        return answer.read()


TITRE = "Fuite; à la, garniture \\ « مضخة » 👩‍🔧 " + "très longue " * 12

machine = call("POST", "/equipements", {"nom": TITRE[:150], "type": "Pompe", "localisation": "Jorf, atelier; 2"})["id"]
user = call("POST", "/users", {
    "username": "agenda", "full_name": "Compte d'agenda", "email": "agenda@mif.example", "role": "technicien",
    "password": "grue jaune du port",
})["id"]
technicien = call("POST", "/techniciens", {"user_id": user})["id"]
for frequence in ["journalier", "hebdomadaire", "mensuel", "annuel"]:
    call("POST", "/planning", {
        "frequence": frequence, "equipement_id": machine, "derniere_date": "2026-01-31T09:00:00Z",
        "commentaire": "Vider;\nremplir, puis\r\ncontrôler",
    })
call("POST", "/interventions", {
    "titre": TITRE, "type": "corrective", "equipement_id": machine, "technicien_id": technicien,
    "date_limite": "2030-02-28T16:00:00Z", "duree_estimee": 90,
})
addresses = call("POST", "/users/me/calendrier")
planning = read(addresses["planning_url"])
own = read(f"{API}/techniciens/{technicien}/calendrier.ics?jeton={addresses['jeton']}")

for name, text, least in [("planning", planning, 90), ("technicien", own, 1)]:
    calendar = Calendar.from_ical(text)
    assert calendar["VERSION"] == "2.0" and isinstance(calendar["PRODID"], str), calendar
    events = list(calendar.walk("VEVENT"))
    assert len(events) >= least, f"{name}: {len(events)} events"
    uids = [str(event["UID"]) for event in events]
    assert len(set(uids)) == len(uids), f"{name}: a UID is there twice"
    for component in calendar.walk():
        assert not component.errors, f"{name}: {component.errors}"
    for event in events:
        start, end, stamp = (event.decoded(key) for key in ("DTSTART", "DTEND", "DTSTAMP"))
        assert start.utcoffset() == stamp.utcoffset() == timedelta(0) and start < end, event
        assert event["SUMMARY"] and event["LOCATION"] == "Jorf, atelier; 2", event
    lines = text.split(b"\r\n")
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines), name
    print(f"{name}: {len(events)} events, all valid")

[event] = Calendar.from_ical(own).walk("VEVENT")
assert str(event["SUMMARY"]).startswith(TITRE.strip()), event["SUMMARY"]
assert event.decoded("DTEND").astimezone(timezone.utc).isoformat() == "2030-02-28T16:00:00+00:00"
assert event.decoded("DTEND") - event.decoded("DTSTART") == timedelta(minutes=90)
described = {str(e["DESCRIPTION"]) for e in Calendar.from_ical(planning).walk("VEVENT")}
assert described == {"Vider;\nremplir, puis\ncontrôler"}, described
