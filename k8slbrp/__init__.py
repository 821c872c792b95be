"""What tools on the host know of the service: how its maps are laid out, and whether they say what they shall."""
