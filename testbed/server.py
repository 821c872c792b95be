"""The servers behind the load balancer: HTTP and UDP echo on one port, both saying who answers.

Run inside a namespace: `python -m testbed.server NAME ADDRESS PORT`; prints "ready" when it listens.
"""

from __future__ import annotations

import hashlib
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    """GET answers with the server's name and the client's address; PUT with the digest of what was sent."""

    protocol_version = "HTTP/1.1"
    server_name = ""

    def do_GET(self) -> None:
        self._answer(f"{self.server_name} {self.client_address[0]}\n".encode())

    def do_PUT(self) -> None:
        digest = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        while left:
            block = self.rfile.read(min(left, 1 << 20))
            if not block:
                return
            digest.update(block)
            left -= len(block)
        self._answer(digest.hexdigest().encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


class Echo(socketserver.BaseRequestHandler):
    """Answers a datagram with the server's name and the datagram itself."""

    server_name = b""

    def handle(self) -> None:
        data, reply_socket = self.request
        reply_socket.sendto(self.server_name + b" " + data, self.client_address)


def main(name: str, address: str, port: str) -> None:
    Page.server_name = name
    Echo.server_name = name.encode()
    socketserver.UDPServer.max_packet_size = 65536
    datagrams = socketserver.UDPServer((address, int(port)), Echo)
    datagrams.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    threading.Thread(target=datagrams.serve_forever, daemon=True).start()
    pages = Server((address, int(port)), Page)
    print("ready", flush=True)
    pages.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
