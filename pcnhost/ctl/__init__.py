"""pcnctl, a command line for the REST API. It knows no service: what can be done is the daemon's to tell."""
