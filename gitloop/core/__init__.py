"""The pure verbs: frames and records in, frames and records out."""
