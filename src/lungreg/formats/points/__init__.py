"""Points and landmarks to files and from them."""
