from pathlib import Path

import pytest

from groat.errors import BadInput
from groat.knowledge.files import Scope, find_files

KINDS = ".md, .markdown, .txt, .html, .htm, .pdf, .jsonl, .jsonl.gz"


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")


def test_a_folder_is_searched_through_in_order_and_other_kinds_are_noted_once(tmp_path: Path) -> None:
    make(tmp_path, "b.MD", "a/二.txt", "a/1.jsonl.gz", ".hidden/x.md", ".x.md", "c.png", "a/d.png", "e", "a.pdf")
    assert find_files([tmp_path]) == Scope(
        (tmp_path,),
        (tmp_path / "a.pdf", tmp_path / "b.MD", tmp_path / "a/1.jsonl.gz", tmp_path / "a/二.txt"),
        ((tmp_path, "3 files of other kinds were skipped: .png (2), no suffix (1)"),),
    )


def test_links_are_not_followed_out_of_the_folder_nor_around_in_circles(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    make(tmp_path, "secret.md", "docs/a.md", "other/x.md")
    (folder / "loop").symlink_to(folder)
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "gone.md").symlink_to(tmp_path / "nowhere.md")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "outside").symlink_to(tmp_path / "other")
    (folder / "twin.md").symlink_to(folder / "a.md")
    assert find_files([folder]) == Scope((folder,), (folder / "a.md",), ())


def test_a_named_link_leads_to_its_target_and_nothing_is_read_twice(tmp_path: Path) -> None:
    make(tmp_path, "docs/a.md", "docs/b.md")
    (tmp_path / "link").symlink_to(tmp_path / "docs")
    found = find_files([tmp_path / "link", tmp_path / "docs/a.md"])
    assert found.files == (tmp_path / "docs/a.md", tmp_path / "docs/b.md")
    assert found.covers(tmp_path / "docs/removed.md")
    assert not found.covers(tmp_path / "docs-of-others/a.md")


def test_what_cannot_be_ingested_is_refused_by_name(tmp_path: Path) -> None:
    make(tmp_path, "pictures/a.png", "a.docx")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    cases = {
        "pictures": f"the folder {str(tmp_path / 'pictures')!r} holds no file that can be read; kinds read: {KINDS}",
        "a.docx": f"{str(tmp_path / 'a.docx')!r} is of no kind that can be read; kinds read: {KINDS}",
        "没有.md": f"{str(tmp_path / '没有.md')!r} does not exist; name a folder or a file to ingest",
        "a.docx/b.md": f"{str(tmp_path / 'a.docx/b.md')!r} does not exist; name a folder or a file to ingest",
        "loop.md": f"{str(tmp_path / 'loop.md')!r} cannot be opened; check the path and its permissions",
    }
    for name, sentence in cases.items():
        with pytest.raises(BadInput) as caught:
            find_files([tmp_path / name])
        assert str(caught.value) == sentence


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^no path is given; name a folder or a file to ingest$"):
        find_files([])
