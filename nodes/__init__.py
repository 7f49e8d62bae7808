"""One module for each box of the picture."""
