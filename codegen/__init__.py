"""Code generator for Polycube services: a YANG model in, the C++ side of its REST interface out."""
