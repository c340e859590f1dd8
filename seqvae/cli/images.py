"""What the command line does for images: INPUT is an image file or one image of a stack, results are PNG files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class ImageFace:
    """See `items.Face`."""

    wanted = "INPUT, an image file or FILE#INDEX, or --file with a file or folder for all of its images"
    unit = "images"
    after_training = ("plot RUN", "sample RUN", "interpolate RUN A.png B.png", "evaluate RUN DATA")
FACE = ImageFace()
