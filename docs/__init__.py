"""What makes the documentation: pages in `pages/`, and the scripts that fill some of them."""
