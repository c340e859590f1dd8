"""Images: IDX stacks, arrays and image files to pixels and back."""
