"""What is reached over HTTP: who may ask, and the review page."""
