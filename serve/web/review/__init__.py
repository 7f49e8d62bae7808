"""The review page: runs, what was decided in each and why, causes of bad answers, and what was saved."""
