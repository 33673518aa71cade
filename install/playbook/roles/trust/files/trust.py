"""trust.py LIST PATH...: lists every file below the paths as fapolicyd's trust.d wants it: path, size, sha256. Links are
followed once, at the top, since fapolicyd knows real paths only. Prints "changed" when the list was written."""
import hashlib
import os
import sys
import tempfile


def entry(path):
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
    return f"{path} {os.path.getsize(path)} {digest.hexdigest()}\n"


def files(top):
    top = os.path.realpath(top)
    if os.path.isfile(top):
        return [top]
    return [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names
            if not os.path.islink(os.path.join(folder, name))]


target, paths = sys.argv[1], sys.argv[2:]
text = "".join(entry(path) for path in sorted({path for top in paths for path in files(top)}))
try:
    with open(target, encoding="utf-8") as file:
        same = file.read() == text
except FileNotFoundError:
    same = False
if not same:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(target), prefix=".pgbundle-", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.rename(file.name, target)
    print("changed")
