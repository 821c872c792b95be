"""An embedded Polycube host: loads services, runs their datapath, serves the Polycube REST API."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pcn-k8slbrp")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "unknown"
