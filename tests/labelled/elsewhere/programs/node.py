"""Packs what node.js prints; NODE is a folder with the packages of Node that it needs."""

import shutil, subprocess, sys

from record import OUT, HERE, label

folder = sys.argv[1]
shutil.copy(HERE / "node.js", folder)
for name, expected in (("node-one-by-one", ["n-plus-one"]), ("node-all-at-once", [])):
    lines = subprocess.check_output(["node", "node.js", "cart", name.removeprefix("node-")], cwd=folder)
    subprocess.run(["zstd", "-19", "-q", "-f", "-o", OUT / f"{name}.otlp.jsonl.zst"], input=lines, check=True)
    label(name, expected, [])
