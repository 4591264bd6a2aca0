"""Targets turn a row into an output: the application under test."""
