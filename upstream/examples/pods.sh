#!/usr/bin/env bash
# A service with two backends, for clients behind FRONTEND ports; each argument is "netdev address" of a client, the
# first one is the netdev of the BACKEND port. For example: pods.sh veth_router "veth1 10.10.1.5" "veth2 10.10.1.6"
set -euo pipefail

polycubectl k8slbrp add lb1 port_mode=MULTI
polycubectl lb1 ports add to_router type=BACKEND peer="$1"
shift
for client in "$@"; do
  read -r netdev address <<< "$client"
  polycubectl lb1 ports add "$netdev" type=FRONTEND ip="$address" peer="$netdev"
done

polycubectl lb1 service add 10.96.0.10 80 TCP name=web
polycubectl lb1 service 10.96.0.10 80 TCP backend add 10.20.0.1 port=8080 weight=3
polycubectl lb1 service 10.96.0.10 80 TCP backend add 10.20.0.2 port=8080
polycubectl lb1 show
