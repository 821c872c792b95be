#!/usr/bin/env bash
# A connection goes on when its backend is removed; a new one finds no backend.
source "$(dirname "$0")/lab.bash"

lab MULTI
serve 8080
polycubectl "$cube" service add "$vip" 80 TCP name=web
polycubectl "$cube" service "$vip" 80 TCP backend add "$server_ip" port=8080

# A client that sends one half of its request, and the other half when it is told to.
coproc waiting {
  exec ip netns exec "$client" python3 -u -c '
import socket, sys
connection = socket.create_connection((sys.argv[1], 80), timeout=5)
connection.sendall(b"GET / HTTP/1.0\r\n")
print("connected")
sys.stdin.readline()
connection.sendall(b"\r\n")
print(connection.makefile().read().splitlines()[-1])' "$vip"
}
read -r -t 10 said <&"${waiting[0]}"
[ "$said" = connected ]
polycubectl "$cube" service "$vip" 80 TCP backend del "$server_ip"
if fetch 2> /dev/null; then
  echo "a removed backend has got a new connection"
  exit 1
fi
echo go >&"${waiting[1]}"
read -r -t 10 said <&"${waiting[0]}"
[ "$said" = served ]
