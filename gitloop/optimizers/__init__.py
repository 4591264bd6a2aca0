"""Optimizers propose prompts."""
