#!/usr/bin/env bash
# What is refused changes nothing.
source "$(dirname "$0")/lab.bash"

refused() {
  if polycubectl "$@" > /dev/null 2>&1; then
    echo "accepted: $*"
    exit 1
  fi
}

lab MULTI
polycubectl "$cube" service add "$vip" 80 TCP name=web
before=$(polycubectl "$cube" show -json)
refused "$cube" service add "$vip" 80 TCP name=again
refused "$cube" service "$vip" 80 TCP backend add 10.201.1.300 port=80
refused "$cube" ports add other type=BACKEND
refused "$cube" ports add other type=FRONTEND ip="$client_ip"
[ "$(polycubectl "$cube" show -json)" = "$before" ]
