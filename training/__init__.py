"""What made the judge: rows, training, export. The only place that needs torch."""
