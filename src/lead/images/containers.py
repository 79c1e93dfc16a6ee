"""Files of microscopes, scanners and cameras that are not read: what each is, and how to make pictures of it.

Their readers are under the GPL, or bring along more than the rest of this package; every maker's own program, and
Fiji, write TIFF.
"""

from __future__ import annotations

from pathlib import PurePath

_FIJI = "or open it in Fiji (with Bio-Formats) and choose File > Save As > Tiff"
_SLIDE = "a slide scanner's file: export the region that you need as TIFF, in the scanner's program or in QuPath"
_RAW = "a camera's raw file: export it as TIFF or JPEG, in the camera maker's program or in darktable"
_VOLUME = "a volume, not a picture: export its slices as TIFF or PNG, in Fiji or in 3D Slicer"
_ELECTRON = f"an electron microscope's file: export it as TIFF in the microscope's program, {_FIJI}"
_OLYMPUS = f"an Olympus (Evident) microscope's file: export it as TIFF in the microscope's program, {_FIJI}"

_ADVICE = {
    ".czi": f"a Zeiss microscope's file: export it as TIFF in ZEN (Image Export), {_FIJI}",
    ".zvi": f"a Zeiss microscope's file: export it as TIFF in AxioVision, {_FIJI}",
    ".nd2": f"a Nikon microscope's file: export it as TIFF in NIS-Elements (Save As or Export ND), {_FIJI}",
    ".lif": f"a Leica microscope's file of several pictures: export them as TIFF in LAS X, {_FIJI}",
    ".lof": f"a Leica microscope's file: export it as TIFF in LAS X, {_FIJI}",
    ".ims": f"an Imaris file: export it as TIFF in Imaris, {_FIJI}",
    ".psd": "a Photoshop file: export it as PNG or TIFF",
    ".xcf": "a GIMP file: export it as PNG or TIFF",
    ".pdf": "a document: export its pictures, or save the page as PNG",
    ".svg": "a drawing, not a picture of pixels: export it as PNG",
    **dict.fromkeys((".oib", ".oif", ".oir", ".vsi"), _OLYMPUS),
    **dict.fromkeys((".ndpi", ".mrxs", ".scn", ".bif", ".vms"), _SLIDE),
    **dict.fromkeys((".dm3", ".dm4", ".mrc", ".emd", ".ser"), _ELECTRON),
    **dict.fromkeys((".nii", ".nrrd", ".mha", ".mhd"), _VOLUME),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef"), _RAW),
}


def why_unreadable(file: str | PurePath) -> str | None:
    """What a file is that holds pictures and is not read, and what to do, in words that end the sentence "it is …".

    Told by its name's ending, in any case. None for a name that says nothing of the kind.
    """
    path = PurePath(file)
    ending = ".nii" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()
    return _ADVICE.get(ending)
