#!/usr/bin/env bash
# In both port modes: a client reaches a service, a service without backends refuses, one that is deleted is gone.
source "$(dirname "$0")/lab.bash"

check() {
  lab "$1"
  serve 8080
  ip netns exec "$client" ping -c 1 -W 2 "$server_ip" > /dev/null
  polycubectl "$cube" service add "$vip" 80 TCP name=web
  if fetch 2> /dev/null; then
    echo "$1: a service without backends has answered"
    return 1
  fi
  polycubectl "$cube" service "$vip" 80 TCP backend add "$server_ip" port=8080
  [ "$(fetch)" = served ]
  polycubectl "$cube" service del "$vip" 80 TCP
  if fetch 2> /dev/null; then
    echo "$1: a deleted service has answered"
    return 1
  fi
  cleanup
}

check MULTI
check SINGLE
