"""The REST API of the host, built at run time from the YANG models of the services it has loaded."""
