"""Says what PDFium draws: for each file a line of JSON with its pages, each as a picture in shades of gray.

pdfium_pages.py DPI MOST FILE...: at most MOST pages of each.
"""

import base64
import json
import sys

import pypdfium2


LARGE = 200_000  # dots


def drawn(page, scale):
    if page.get_width() * page.get_height() * scale * scale > LARGE:
        return {"w": -1, "h": 0, "gray": ""}
    bitmap = page.render(scale=scale, grayscale=True, fill_color=(255, 255, 255, 255))
    rows = bytes(bitmap.buffer)
    gray = b"".join(rows[i * bitmap.stride : i * bitmap.stride + bitmap.width] for i in range(bitmap.height))
    return {"w": bitmap.width, "h": bitmap.height, "gray": base64.b64encode(gray).decode()}


def judged(file, scale, most):
    out = {"file": file, "count": 0, "pages": []}
    try:
        pdf = pypdfium2.PdfDocument(file)
        pdf.init_forms()  # otherwise it leaves out what fields look like
        out["count"] = len(pdf)
        for n in range(min(len(pdf), most)):
            try:
                out["pages"].append(drawn(pdf[n], scale))
            except (pypdfium2.PdfiumError, ValueError):
                out["pages"].append({"w": 0, "h": 0, "gray": ""})
    except (pypdfium2.PdfiumError, ValueError) as e:
        out["error"] = str(e)
    return out


scale, most = int(sys.argv[1]) / 72, int(sys.argv[2])
for file in sys.argv[3:]:
    print(json.dumps(judged(file, scale, most)))
