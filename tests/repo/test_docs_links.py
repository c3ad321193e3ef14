"""Every relative link in a Markdown file leads somewhere."""

import re
from pathlib import Path

from tests.repo.reading import ROOT, tracked_paths

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)", flags=re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", flags=re.MULTILINE | re.DOTALL)
CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", flags=re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", flags=re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", flags=re.IGNORECASE)


def anchors(text: str) -> set[str]:
    """The anchors a hosting platform makes of a file's headings."""
    prose = CODE_BLOCK.sub("", text)
    headings = HEADING.findall(prose)
    made: set[str] = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    for heading in headings:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        repeat = 0
        while (slug if not repeat else f"{slug}-{repeat}") in made:
            repeat += 1
        made.add(slug if not repeat else f"{slug}-{repeat}")
    return made


def dead_links(root: Path, pages: list[Path]) -> list[str]:
    """`page: target` of every relative link without a file, or with an anchor its page lacks."""
    dead = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        prose = CODE.sub("", text)
        for target in [*LINK.findall(prose), *REFERENCE.findall(prose)]:
            if ELSEWHERE.match(target):
                continue
            name, _, anchor = target.partition("#")
            base = root if name.startswith("/") else page.parent
            there = (base / name.lstrip("/")) if name else page
            lost = not there.exists() or (
                anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8"))
            )
            if lost:
                dead.append(f"{page.relative_to(root).as_posix()}: {target}")
    return dead


def test_every_link_in_the_documents_leads_somewhere():
    pages = [path for path in tracked_paths() if path.suffix == ".md"]
    assert pages
    assert [] == dead_links(ROOT, pages)


def test_a_dead_link_is_reported(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A heading, *here*\n")
    page.write_text(
        "# Top\n[a](other.md) [b](other.md#a-heading-here) [c](#top)\n"
        "[d](https://example.org) `[e](code.md)`\n"
        "```\n[f](fenced.md)\n```\n[g](gone.md) [h](other.md#gone) ![i](gone.png)\n\n[ref]: lost.md\n"
    )
    expected = ["page.md: gone.md", "page.md: other.md#gone", "page.md: gone.png", "page.md: lost.md"]
    assert expected == dead_links(tmp_path, [page])
