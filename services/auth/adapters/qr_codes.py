"""QR codes as SVG."""

import io

import segno

_PIXELS_PER_MODULE = 4


def qr_svg(text: str) -> str:
    """Draw a text as a QR code, in an SVG image that stands on its own."""
    code = segno.make(text, error="m", micro=False)
    image = io.BytesIO()
    code.save(image, kind="svg", scale=_PIXELS_PER_MODULE, xmldecl=False, light="#fff")
    return image.getvalue().decode()
