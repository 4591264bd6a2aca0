"""The statistics that the verbs share: arrays in, frozen records out."""
