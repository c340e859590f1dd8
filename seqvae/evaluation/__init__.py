"""Figures of a model over a set of batches, in nats unless the name says otherwise.

Every function takes batches that stand on the model's device, reads them once, and gives the same figures for any
order, size and padding of the batches, up to rounding. Steps are counted by `Batch.lengths`: the end of sequence
counts, padding never does. Dropout is off.
"""
