"""Images: IDX stacks, .npz archives and image files to pixels and back."""
