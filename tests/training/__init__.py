"""Tests of the training of the judge."""
