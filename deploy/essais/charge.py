#!/usr/bin/env python3
"""Une charge par HTTP : photos et notifications, à travers ce qui tient lieu de répartiteur : les adresses du fichier CIBLES, relu à chaque
requête, l'une après l'autre. Comme nginx, passe à la suivante si l'une refuse la connexion ; comme un client bien fait, redemande ce qui a eu
503 (rien n'a été fait) ; se reconnecte quand un jeton est refusé (une version peut finir les sessions d'avant). Une ligne JSON par requête dans RESULTATS.
Usage : charge.py CIBLES RESULTATS FIN JETON INTERVENTION DESTINATAIRES FILS"""
import http.client
import itertools
import json
import os
import pathlib
import random
import struct
import sys
import threading
import time
import urllib.parse
import uuid
import zlib

cibles, resultats, fin = map(pathlib.Path, sys.argv[1:4])
jeton, intervention, fils = sys.argv[4], int(sys.argv[5]), int(sys.argv[7])
destinataires = [int(d) for d in sys.argv[6].split(",")]  # plusieurs : un e-mail qui en groupe trop dit « Et N de plus » sans les nommer
sortie, verrou, connexions, tours = resultats.open("a", buffering=1), threading.Lock(), threading.Lock(), itertools.count()


def photo():
    largeur, hauteur, graine = 320, 240, random.randrange(256)
    lignes = b"".join(b"\0" + bytes((graine + x * y) % 256 for x in range(3 * largeur)) for y in range(hauteur))
    bloc = lambda nom, octets: struct.pack(">I", len(octets)) + nom + octets + struct.pack(">I", zlib.crc32(nom + octets))
    return (b"\x89PNG\r\n\x1a\n" + bloc(b"IHDR", struct.pack(">IIBBBBB", largeur, hauteur, 8, 2, 0, 0, 0))
            + bloc(b"IDAT", zlib.compress(lignes, 1)) + bloc(b"IEND", b""))


photos = [photo() for _ in range(4)]


def reconnecter(cible, refuse):
    global jeton
    with connexions:
        if jeton != refuse:
            return  # un autre fil l'a fait
        connexion = http.client.HTTPConnection(urllib.parse.urlsplit(cible).netloc, timeout=30)
        formulaire = urllib.parse.urlencode({"username": "admin", "password": os.environ["essai_mot_de_passe"]})
        connexion.request("POST", "/api/v1/auth/login", formulaire, {"Content-Type": "application/x-www-form-urlencoded"})
        jeton = json.loads(connexion.getresponse().read())["access_token"]


def demander(chemin, corps, type_):
    reprises = refus = reconnexions = 0
    while True:
        adresses = cibles.read_text().split()
        cible = adresses[next(tours) % len(adresses)]
        connexion = http.client.HTTPConnection(urllib.parse.urlsplit(cible).netloc, timeout=30)
        try:
            connexion.connect()
        except OSError:
            reprises += 1
            if reprises > 50:
                return cible, 0, None, reprises, refus
            time.sleep(0.1)
            continue
        try:
            employe = jeton
            connexion.request("POST", chemin, corps, {"Authorization": f"Bearer {employe}", "Content-Type": type_})
            reponse = connexion.getresponse()
            lu = reponse.read()
            if reponse.status == 503 and refus < 20:
                refus += 1
                time.sleep(0.5)
                continue
            if reponse.status == 401 and reconnexions < 3:
                reconnexions += 1
                reconnecter(cible, employe)
                continue
            return cible, reponse.status, lu, reprises, refus
        except (OSError, http.client.HTTPException):
            return cible, 0, None, reprises, refus  # acceptée ou non : on ne sait pas
        finally:
            connexion.close()


def travailler():
    while not fin.exists():
        texte, genre = f"Message {uuid.uuid4()}", random.choice(["photo", "notification", "notification"])
        debut = time.time()
        if genre == "photo":
            borne = uuid.uuid4().hex
            corps = (f'--{borne}\r\nContent-Disposition: form-data; name="file"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n').encode() \
                + random.choice(photos) + f"\r\n--{borne}--\r\n".encode()
            cible, statut, lu, reprises, refus = demander(f"/api/v1/documents/upload?intervention_id={intervention}", corps, f"multipart/form-data; boundary={borne}")
        else:
            corps = json.dumps({"type": "information", "canal": "email", "contenu": texte, "intervention_id": intervention, "user_id": random.choice(destinataires)})
            cible, statut, lu, reprises, refus = demander("/api/v1/notifications", corps.encode(), "application/json")
        ligne = {"genre": genre, "cible": cible, "statut": statut, "reprises": reprises, "refus": refus, "texte": texte, "debut": debut, "duree": time.time() - debut,
                 "id": json.loads(lu)["id"] if statut == 201 else None}
        with verrou:
            sortie.write(json.dumps(ligne) + "\n")
        time.sleep(0.02)


equipe = [threading.Thread(target=travailler) for _ in range(fils)]
for t in equipe:
    t.start()
for t in equipe:
    t.join()
