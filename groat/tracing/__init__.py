"""What is told to the outside about a question on its way."""
