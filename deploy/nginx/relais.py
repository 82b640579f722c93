#!/usr/bin/env python3
"""Un passage entre deux réseaux : écoute sur 127.0.0.1:PORT de celui où il est lancé, joint HOTE:PORT depuis RESEAU (/proc/…/ns/net).
Usage : relais.py PORT RESEAU HOTE PORT"""
import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000
port, reseau, hote, port_distant = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
ecoute = socket.create_server(("127.0.0.1", port), backlog=512)
# Ce qui écoute reste dans son réseau ; ce qui s'ouvre ensuite, fils compris, est dans l'autre.
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(reseau, os.O_RDONLY), CLONE_NEWNET) != 0:
    raise OSError(ctypes.get_errno(), f"setns {reseau}")


def copier(de, vers):
    try:
        while octets := de.recv(65536):
            vers.sendall(octets)
        vers.shutdown(socket.SHUT_WR)
    except OSError:
        for bout in (de, vers):
            try:
                bout.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def servir(client):
    with client:
        try:
            api = socket.create_connection((hote, port_distant))
        except OSError:
            return
        with api:
            retour = threading.Thread(target=copier, args=(api, client), daemon=True)
            retour.start()
            copier(client, api)
            retour.join()


while True:
    threading.Thread(target=servir, args=(ecoute.accept()[0],), daemon=True).start()
