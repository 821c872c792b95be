"""A real Prometheus that scrapes a host, as long as a lab lasts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from testbed.host import free_port
from testbed.lab import Lab

START_S = 60
INTERVAL_S = 1


class Prometheus:
    """Scrapes `target` (address:port) each second and evaluates the rules of `rules` (files) as often."""

    def __init__(self, lab: Lab, directory: Path, target: str, rules: Sequence[Path] = ()) -> None:
        job = {
            "job_name": "pcnhost",
            "metrics_path": "/polycube/v1/metrics",
            "static_configs": [{"targets": [target]}],
        }
        config = {
            "global": {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"},
            "scrape_configs": [job],
            "rule_files": [str(rule) for rule in rules],
        }
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self._log = (directory / "prometheus.log").open("w")
        lab.start(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stderr=self._log,
        )
        self.wait_for(
            lambda: any(target["health"] == "up" for target in self._get("targets")["activeTargets"])
        )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query, each with `metric` and `value`."""
        return list(self._get("query", query=expression)["result"])

    def value(self, expression: str) -> float | None:
        """Of the only sample of a query; None without one."""
        samples = self.query(expression)
        return float(samples[0]["value"][1]) if len(samples) == 1 else None

    def firing(self) -> set[str]:
        return {
            alert["labels"]["alertname"]
            for alert in self._get("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def wait_for(self, condition: Any, timeout: float = START_S) -> None:
        """Until `condition()` is true; raises TimeoutError."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        raise TimeoutError("Prometheus does not see it")

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = requests.get(f"{self._url}/{path}", params=parameters, timeout=10)
        if answer.status_code == 503:
            raise requests.ConnectionError("Prometheus has not started yet")
        if answer.status_code != 200:
            raise RuntimeError(f"{path} {parameters}: {answer.text}")
        return dict(answer.json()["data"])


def promtool(*arguments: str, text: str | None = None) -> str:
    """What promtool says; a RuntimeError with that when it is not content."""
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout + done.stderr
