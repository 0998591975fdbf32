"""Makes the pictures of this folder and what Pillow (libjpeg) reads in them. Needs Pillow, numpy and OpenCV:

    python make.py

jpeg_*.jpg   one picture in all kinds of chroma subsampling and sizes; jpeg_*.png is what Pillow decodes
exif_N.jpg   a JPEG with EXIF orientation N; exif_N.png is Pillow's ImageOps.exif_transpose of it
apng_*.png   animated PNGs; apng_*.npy are their frames over black, [T][H][W][3]
"""
import io
import cv2
import numpy as np
from PIL import Image, ImageOps


def picture(w, h):
    """Edges between saturated colours, on which ways to upsample chroma differ most, and soft gradients."""
    y, x = np.mgrid[0:h, 0:w]
    p = np.stack([128 + 120 * np.sin(x / 3.1), 128 + 120 * np.cos(y / 4.3), 128 + 120 * np.sin((x + y) / 5.7)], -1)
    p[(x // 5 + y // 7) % 3 == 0] = (230, 20, 40)
    p[(x // 4 - y // 3) % 5 == 0] = (10, 60, 240)
    return p.astype(np.uint8)


sampling = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}


def jpeg(name, pixels, factor, progressive=0):
    options = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    ok, data = cv2.imencode(".jpg", pixels[..., ::-1], options)
    assert ok
    open(f"jpeg_{name}.jpg", "wb").write(data.tobytes())
    Image.open(io.BytesIO(data)).convert("RGB").save(f"jpeg_{name}.png")


for name, factor in sampling.items():
    jpeg(name, picture(51, 37), factor)
    jpeg(name + "_even", picture(32, 16), factor)
    jpeg(name + "_tiny", picture(3, 3), factor)
jpeg("420_progressive", picture(51, 37), sampling["420"], 1)
Image.fromarray(picture(20, 15)).convert("L").save("jpeg_grey.jpg", quality=92)
Image.open("jpeg_grey.jpg").convert("RGB").save("jpeg_grey.png")
Image.fromarray(picture(20, 15)).convert("CMYK").save("jpeg_cmyk.jpg", quality=92)

for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    Image.fromarray(picture(13, 6)).save(f"exif_{o}.jpg", exif=exif.tobytes(), quality=92, subsampling=0)
    ImageOps.exif_transpose(Image.open(f"exif_{o}.jpg")).save(f"exif_{o}.png")


def apng(name, frames, want, **options):
    frames[0].save(f"apng_{name}.png", save_all=True, append_images=frames[1:], **options)
    np.save(f"apng_{name}.npy", np.stack(want))


def pillow(name):
    got, out = Image.open(f"apng_{name}.png"), []
    for i in range(got.n_frames):
        got.seek(i)
        out.append(np.array(got.convert("RGB")))
    return np.stack(out)


opaque = [Image.fromarray(picture(20, 12)[:, np.r_[i:20, 0:i]]) for i in range(5)]
pixels = [np.array(f) for f in opaque]
apng("opaque", opaque, pixels, duration=[100, 100, 100, 500, 200])
assert (pillow("opaque") == pixels).all()
few = [f.quantize(16) for f in opaque]
apng("palette", few, [np.array(f.convert("RGB")) for f in few], duration=100)
apng("default_image", opaque, pixels[1:], duration=40, default_image=True)

# Holes, all ways to dispose of a frame and both to draw one; composed here by the specification, since readers differ.
rng = np.random.default_rng(1)
disposal, blend = [0, 1, 2, 0, 2, 1], [0, 1, 1, 0, 1, 1]
clear, canvas, want = [], np.zeros((12, 20, 3), np.uint8), []
for i, (dispose, over) in enumerate(zip(disposal, blend)):
    solid = rng.choice([False, False, True], (12, 20))
    rgb = picture(20, 12)[:, np.r_[i:20, 0:i]]
    clear.append(Image.fromarray(np.dstack([rgb, 255 * solid]).astype(np.uint8), "RGBA"))
    shown = np.where(solid[..., None], rgb, canvas * over)
    want.append(shown.astype(np.uint8))
    canvas = {0: shown, 1: 0 * canvas, 2: canvas}[dispose]
apng("blend", clear, want, duration=40, disposal=disposal, blend=blend)
