"""A file system that is full: files of ours take what is left"""

import os

MB = 1024 * 1024


def fill_bytes(folder):
    """Not a byte is left; what took them is folder/filler."""
    with open(f"{folder}/filler", "ab", buffering=0) as f:
        for chunk in (MB, 4096, 1):
            try:
                while f.write(b"x" * chunk):
                    pass
            except OSError:
                pass
    assert os.statvfs(folder).f_bavail == 0


def fill_inodes(folder, most):
    """No file can be made; folder/filler.d has what took the inodes, of which there are fewer than most."""
    os.mkdir(f"{folder}/filler.d")
    try:
        for n in range(most):
            os.mknod(f"{folder}/filler.d/{n}")
    except OSError:
        return
    raise AssertionError("inodes without end")
