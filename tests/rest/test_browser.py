"""A page of somebody else, in a real browser on this machine, reads nothing of the host and changes nothing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from testbed.api import Api
from tests.rest.conftest import CUBE, OwnHost
from tests.rest.test_library_files import compiled, leaves

pytestmark = pytest.mark.root

# What a page can try. A test is sure of its page when the page's own server has seen the same requests.
PAGE = """<!doctype html><title>page</title><body><script>
const seen = {};
const at = (base, path) => base + "/polycube/v1/" + path;
async function attempt(name, url, options) {
  try {
    const answer = await fetch(url, options);
    seen[name] = [answer.type, answer.status, await answer.text()];
  } catch (error) {
    seen[name] = ["error", 0, String(error)];
  }
}
function form(base, path) {
  const frame = document.createElement("iframe");
  frame.name = "f" + path;
  document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: at(base, path), target: frame.name, enctype: "text/plain"});
  document.body.append(form);
  const done = new Promise((resolve) => { frame.onload = resolve; setTimeout(resolve, 3000); });
  form.submit();
  return done;
}
async function main() {
  for (const base of %(bases)s) {
    const blind = {mode: "no-cors", method: "POST", headers: {"Content-Type": "text/plain;charset=UTF-8"}};
    await attempt(base + " read", at(base, "cubes"));
    await attempt(base + " blind read", at(base, "cubes"), {mode: "no-cors"});
    await attempt(base + " load", at(base, "services"), {...blind, body: %(load)s});
    await attempt(base + " create", at(base, "k8slbrp/page"), {...blind, body: "{}"});
    await attempt(base + " delete", at(base, "k8slbrp/%(cube)s"), {method: "DELETE"});
    await attempt(base + " patch", at(base, "k8slbrp/%(cube)s/loglevel"), {method: "PATCH", body: '"DEBUG"'});
    navigator.sendBeacon(at(base, "k8slbrp/beacon"), "{}");
    await form(base, "k8slbrp/form");
    await new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = at(base, "k8slbrp");
      script.onload = script.onerror = resolve;
      document.body.append(script);
    });
  }
  await fetch("/report", {method: "POST", body: JSON.stringify(seen)});
}
main();
</script>"""


class Pages:
    """A server of one page; it notes every request it gets."""

    def __init__(self) -> None:
        self.page = ""
        self.seen: list[str] = []
        self.report: dict[str, Any] = {}
        self.reported = threading.Event()
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages.seen.append(f"{self.command} {self.path}")
                self.answer(pages.page if self.path == "/" else "")

            def do_POST(self) -> None:
                pages.seen.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path == "/report":
                    pages.report = json.loads(body)
                    pages.reported.set()
                self.answer("")

            do_DELETE = do_PATCH = do_POST

            def answer(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def pages() -> Iterator[Pages]:
    pages = Pages()
    yield pages
    pages.server.shutdown()
    pages.server.server_close()


@contextmanager
def browser(profile: Path, url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Chromium with that page open. It asks nobody outside for anything."""
    quiet = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-default-apps", "--disable-extensions", "--disable-domain-reliability"),
        *("--host-resolver-rules=MAP *.test 127.0.0.1, MAP localhost 127.0.0.1, EXCLUDE 127.0.0.1",),
    )
    argv = ["chromium", *quiet, f"--user-data-dir={profile}", *options, url]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("site", ["127.0.0.1", "evil.test"])
def test_page_of_another_origin(own_host: OwnHost, api: Api, pages: Pages, tmp_path: Path, site: str) -> None:
    port = own_host.authority.rpartition(":")[2]
    mark = tmp_path / "mark"
    library = compiled(tmp_path / "libpage.so", leaves(mark))
    load = json.dumps({"type": "lib", "uri": str(library), "name": "page"})
    hosts = [f"http://127.0.0.1:{port}", f"http://localhost:{port}", f"http://evil.test:{port}"]
    own = f"http://{site}:{pages.port}"
    pages.page = PAGE % {"bases": json.dumps([*hosts, own]), "load": json.dumps(load), "cube": CUBE}
    before = api.get(f"k8slbrp/{CUBE}")
    with browser(tmp_path / "profile", f"{own}/"):
        assert pages.reported.wait(90), pages.seen
    assert api.get(f"k8slbrp/{CUBE}") == before
    assert [cube["name"] for cube in api.get("cubes")["k8slbrp"]] == [CUBE]
    assert [service["name"] for service in api.get("services")] == ["k8slbrp"]
    assert not mark.exists()
    for base in hosts:
        for attempt in ("read", "blind read", "load", "create", "delete", "patch"):
            kind, status, text = pages.report[f"{base} {attempt}"]
            assert kind in ("error", "opaque"), (attempt, kind)
            assert status == 0 and CUBE not in text
    # The same page did get through to a server that lets it.
    assert {"GET /polycube/v1/cubes", "POST /polycube/v1/services", "DELETE /polycube/v1/k8slbrp/own"} <= set(
        pages.seen
    )
    assert {"POST /polycube/v1/k8slbrp/form", "POST /polycube/v1/k8slbrp/beacon"} <= set(pages.seen)


def test_name_that_suddenly_means_this_machine(own_host: OwnHost, api: Api, tmp_path: Path) -> None:
    """DNS rebinding: to the browser it is the page's own server, so the page may read all answers."""
    port = own_host.authority.rpartition(":")[2]
    with browser(tmp_path / "profile", f"http://evil.test:{port}/polycube/v1/cubes", "--dump-dom") as process:
        shown, _ = process.communicate(timeout=90)
    assert "Host evil.test" in shown and "is not a name of this server" in shown
    assert CUBE not in shown


def test_user_may_look(own_host: OwnHost, api: Api, tmp_path: Path) -> None:
    """An address typed by the user is no page's request; and it shows that the browser gets through."""
    port = own_host.authority.rpartition(":")[2]
    url = f"http://127.0.0.1:{port}/polycube/v1/cubes/{CUBE}"
    with browser(tmp_path / "profile", url, "--dump-dom") as process:
        shown, _ = process.communicate(timeout=90)
    assert f'"name": "{CUBE}"' in shown
