"""What stands in a folder, so that a test can see whether anything was changed."""

from pathlib import Path


def tree(folder: Path) -> dict[str, tuple[str | int | bytes, ...]]:
    """Each thing below a folder, links not followed: when it was changed last, and what it holds or names."""
    found: dict[str, tuple[str | int | bytes, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = path.lstat().st_mtime_ns, content
    return found
