"""An embedded Polycube host: loads services, runs their datapath, serves the Polycube REST API."""

__version__ = "3.0.0"
