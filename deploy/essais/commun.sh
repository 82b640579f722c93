# shellcheck shell=bash
# Ce que les essais de ce dossier partagent : un Postgres à eux, des programmes qu'ils arrêtent, un compte, des appels.
# Tout est dans un dossier temporaire ($essai, gardé si KEEP=1) et sur 127.0.0.1 ; rien d'existant n'est touché.
# Veulent : bash 4.4, curl, jq, python3 ; qui appelle nouveau_postgres, Postgres 13 ou après avec ses outils.

essai=$(mktemp -d "${TMPDIR:-/tmp}/erp-essai.XXXXXX")
processus=()
debut=$EPOCHREALTIME

depuis() { awk -v a="$debut" -v b="$EPOCHREALTIME" 'BEGIN {printf "%6.1f s", b - a}'; }
etape() { printf '\n[%s] %s\n' "$(depuis)" "$*"; }
bien() { printf '           %s\n' "$*"; }
echouer() {
  printf '\nÉCHEC : %s\n' "$*" >&2
  tail -n 5 "$essai"/*.log 2>/dev/null | cut -c 1-400 >&2 || true
  exit 1
}
attendre() { # attendre SECONDES QUOI COMMANDE…
  local fin=$((SECONDS + $1)) quoi=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < fin)) || echouer "toujours pas : $quoi"
    sleep 0.2
  done
}

finir() {
  local code=$? pid
  trap - EXIT
  for pid in "${processus[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${processus[@]}"; do wait "$pid" 2>/dev/null || true; done
  local donnees
  for donnees in "$essai"/*.pgdata; do
    [ ! -e "$donnees" ] || { serveur "$pg_bin/pg_ctl" stop -s -m fast -D "$(cat "$donnees")" && rm -rf "$(cat "$donnees")"; }
  done
  # Ce qu'un essai a d'autre à enlever.
  ! declare -F ranger >/dev/null || ranger "$code"
  if [ -n "${KEEP:-}" ]; then printf 'gardé : %s\n' "$essai"; else rm -rf "$essai"; fi
  exit "$code"
}
trap finir EXIT
trap 'exit 130' INT TERM

# --- Postgres -------------------------------------------------------------------------------------------------------------------------

pg_bin=${ERP_DEV_PG_BIN:-$(find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1 || true)}
[ -n "$pg_bin" ] || ! command -v initdb >/dev/null || pg_bin=$(dirname "$(command -v initdb)")
[ -z "$pg_bin" ] || PATH=$pg_bin:$PATH

# Postgres refuse root, qui lui prête un compte.
serveur() {
  local compte
  if [ "$(id -u)" != 0 ]; then "$@"; return; fi
  compte=$(id -u postgres 2>/dev/null || id -u nobody)
  (cd / && setpriv --reuid="$compte" --regid="$(id -g "$compte")" --clear-groups -- "$@")
}

port_libre() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

nouveau_postgres() { # nouveau_postgres NOM : un serveur neuf, une base « erp » vide et son propriétaire ; l'adresse dans $url
  local donnees port
  [ -n "$pg_bin" ] || echouer 'pas de Postgres (initdb) sur cette machine'
  donnees=$(mktemp -d "/var/tmp/erp-essai-$1.XXXXXX")
  [ "$(id -u)" != 0 ] || chown "$(id -u postgres 2>/dev/null || id -u nobody)" "$donnees"
  echo "$donnees" >"$essai/$1.pgdata"
  port=$(port_libre)
  serveur "$pg_bin/initdb" -D "$donnees" -U postgres -A trust -E UTF8 --locale=C >"$essai/$1.initdb.log"
  serveur "$pg_bin/pg_ctl" start -s -w -D "$donnees" -l "$donnees/log" -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c max_connections=150"
  # Un rôle ordinaire, comme en production : ce qui demanderait plus se verrait ici.
  psql -Xqd "postgres://postgres@127.0.0.1:$port/postgres" -c 'create role erp login' -c 'create database erp owner erp'
  url=postgres://erp@127.0.0.1:$port/erp
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 -d "$url" -c "$1"; }

# --- Programmes -----------------------------------------------------------------------------------------------------------------------

lancer() { # lancer NOM COMMANDE… : en arrière-plan, journal dans $essai/NOM.log, numéro dans $pid
  local nom=$1
  shift
  "$@" >"$essai/$nom.log" 2>&1 &
  pid=$!
  processus+=("$pid")
}
arreter() { # arreter PID… : SIGTERM, et l'on attend une fin propre
  local p
  kill -TERM "$@"
  for p; do wait "$p" || echouer "le processus $p ne s'est pas bien terminé ($?)"; done
}

# --- L'API ------------------------------------------------------------------------------------------------------------------------------

export essai_mot_de_passe='atlas pompe quai 4'
appel() { curl -sS --fail-with-body --max-time 30 -H "Authorization: Bearer ${jeton:-}" "$@"; }
json() { appel -H 'Content-Type: application/json' "$@"; }
connecter() { # connecter API : un jeton d'administrateur dans $jeton
  jeton=$(curl -sS --fail-with-body -F username=admin -F "password=$essai_mot_de_passe" "$1/api/v1/auth/login" | jq -er .access_token) ||
    echouer 'la connexion est refusée'
}

premier_admin() { # premier_admin ERP-API : par le programme, sinon (versions sans create-admin) en SQL
  if "$1" --help | grep -q create-admin; then
    printf '%s' "$essai_mot_de_passe" | "$1" create-admin --username admin --email admin@mif.example --full-name 'Administration'
  else
    # shellcheck disable=SC2016
    local empreinte='$argon2id$v=19$m=19456,t=2,p=1$XYaMxq2C/e27R5lfDyneBw$zXAvLuk28j4vKnqNFb1Uyz+Ee6XdBAxvK5Q6xolNLCU' # Argon2id de essai_mot_de_passe
    sql "insert into users (username, full_name, email, role, password_hash, created_at, updated_at) values
      ('admin', 'Administration', 'admin@mif.example', 'admin', '$empreinte', now(), now())"
    bien '(cette version n’a pas create-admin : compte écrit en SQL)'
  fi
}

photo() { # photo FICHIER [GRAINE [FOIS]] : un PNG de FOIS (une) fois 480 × 320, chaque graine un autre
  python3 - "$1" "${2:-0}" "${3:-1}" <<'PY'
import random, struct, sys, zlib
fois = int(sys.argv[3])
largeur, hauteur, hasard = 480 * fois, 320 * fois, random.Random(int(sys.argv[2]))
lignes = b"".join(b"\0" + bytes(hasard.randrange(256) if x % 8 == 0 else 90 for x in range(3 * largeur)) for _ in range(hauteur))
def bloc(nom, octets):
    return struct.pack(">I", len(octets)) + nom + octets + struct.pack(">I", zlib.crc32(nom + octets))
with open(sys.argv[1], "wb") as f:
    f.write(b"\x89PNG\r\n\x1a\n" + bloc(b"IHDR", struct.pack(">IIBBBBB", largeur, hauteur, 8, 2, 0, 0, 0))
            + bloc(b"IDAT", zlib.compress(lignes, 1)) + bloc(b"IEND", b""))
PY
}
