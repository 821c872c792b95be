"""Reproducible measurements of the load balancer: `python -m bench`, as root.

Absolute times say little about another machine, so everything is measured next to something to compare it with,
in turns within one run: a bare program under the same wrapper, a plain redirect, nftables, haproxy.
"""
