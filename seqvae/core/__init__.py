"""The mathematics of variational autoencoders: no file, no device, no modality."""
