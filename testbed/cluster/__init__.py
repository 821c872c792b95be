"""A small Kubernetes cluster of network namespaces, for playing and for proving."""
