"""Small networks of namespaces with real clients and servers, for the demo, the tests and the benchmarks."""
