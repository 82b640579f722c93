#!/usr/bin/env python3
"""Un relais SMTP d'essai : accepte tout, ne livre rien, garde chaque message dans un dossier. Usage : boite.py PORT DOSSIER"""
import itertools
import pathlib
import socketserver
import sys

port, dossier = int(sys.argv[1]), pathlib.Path(sys.argv[2])
dossier.mkdir(parents=True, exist_ok=True)
numeros = itertools.count(1)


class Session(socketserver.StreamRequestHandler):
    def dire(self, texte):
        self.wfile.write(texte.encode() + b"\r\n")

    def handle(self):
        self.dire("220 boite")
        while ligne := self.rfile.readline():
            ordre = ligne.strip().upper()[:4]
            if ordre == b"DATA":
                self.dire("354 allez")
                message = []
                while (ligne := self.rfile.readline()) not in (b".\r\n", b""):
                    message.append(ligne[1:] if ligne.startswith(b"..") else ligne)
                if not ligne:  # coupé avant le point final : rien n'est accepté
                    return
                (dossier / f"{next(numeros):06}.eml").write_bytes(b"".join(message))
                self.dire("250 garde")
            elif ordre == b"QUIT":
                self.dire("221 au revoir")
                return
            else:
                self.dire("250 boite")


class Serveur(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Serveur(("127.0.0.1", port), Session).serve_forever()
