# Sourced by the tests: a client and a server, each in a network namespace, with a cube of k8slbrp between them.
# Everything is named after the test's process and removed when it ends, so a daemon may run one test after the other.

set -euo pipefail

cube="k8s$$" client="k8sc$$" server="k8ss$$"
client_ip=10.201.1.1 server_ip=10.201.1.100 vip=10.202.0.10

cleanup() {
  polycubectl del "$cube" 2>/dev/null || true
  [ -z "${server_pid:-}" ] || kill "$server_pid" 2>/dev/null || true
  # Before the namespaces, which let go of their interfaces some time later.
  ip link del "fe$$" 2>/dev/null || true
  ip link del "be$$" 2>/dev/null || true
  ip netns del "$client" 2>/dev/null || true
  ip netns del "$server" 2>/dev/null || true
}
trap cleanup EXIT

# namespace NAME ADDRESS NETDEV: a namespace behind a veth pair whose near end is NETDEV
namespace() {
  ip netns add "$1"
  ip link add "$3" type veth peer name eth0 netns "$1"
  ip link set "$3" up
  ip -n "$1" link set lo up
  ip -n "$1" addr add "$2/24" dev eth0
  ip -n "$1" link set eth0 up
}

# lab MODE: the namespaces, and a cube with the client at its FRONTEND port and the server at its BACKEND port
lab() {
  namespace "$client" "$client_ip" "fe$$"
  namespace "$server" "$server_ip" "be$$"
  ip -n "$client" route add 10.202.0.0/16 via "$server_ip"
  polycubectl k8slbrp add "$cube" port_mode="$1"
  polycubectl "$cube" ports add to_server type=BACKEND peer="be$$"
  if [ "$1" = MULTI ]; then
    polycubectl "$cube" ports add to_client type=FRONTEND ip="$client_ip" peer="fe$$"
  else
    polycubectl "$cube" ports add to_client type=FRONTEND peer="fe$$"
  fi
}

# serve PORT: a web server in the server's namespace that answers with the text "served"
serve() {
  ip netns exec "$server" python3 -c '
import ctypes, http.server, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: ends with the test, however that ends
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served")
    def log_message(self, *_):
        pass
http.server.HTTPServer(("", int(sys.argv[1])), Answer).serve_forever()' "$1" &
  server_pid=$!
  for _ in $(seq 50); do
    ip netns exec "$server" bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null && return
    sleep 0.1
  done
  echo "the server does not answer"
  return 1
}

# fetch: what the client gets from the service
fetch() {
  ip netns exec "$client" python3 -c '
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=3).read().decode())' "http://$vip/"
}
