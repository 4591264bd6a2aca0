"""Judges score an output of the application under test."""
