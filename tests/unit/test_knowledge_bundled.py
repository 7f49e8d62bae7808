"""The one test here that computes real vectors."""

from pathlib import Path

from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase

DOCUMENTS = {
    "en-battery": "# Battery in winter\n\nThe Leaf Battery works from -10 °C to 45 °C.",
    "en-refund": "# Refunds\n\nThe money reaches your card within five working days.",
    "zh-password": "# 重置密码\n\n重置链接在二十分钟内有效。",
    "zh-delivery": "# 配送\n\n标准配送需要三到五个工作日。",
}
QUESTIONS = {
    "can it stand the cold outside": "en-battery",
    "when do I get paid back": "en-refund",
    "登录不了，忘记口令怎么办": "zh-password",
    "东西几天能寄到": "zh-delivery",
}
CROSS_LANGUAGE = {
    "how long does shipping take": "zh-delivery",
    "冬天电池能在零下多少度工作": "en-battery",
}


async def test_documents_are_found_by_their_meaning_in_and_across_both_languages(tmp_path: Path) -> None:
    for name, text in DOCUMENTS.items():
        (tmp_path / f"{name}.md").write_text(f"---\nid: {name}\n---\n{text}", encoding="utf-8")
    kb = KnowledgeBase(tmp_path / "k" / "knowledge.sqlite", BundledEmbedder())
    await kb.ingest([tmp_path], tenant="t")
    first = {question: (await kb.search(question, tenant="t"))[0]["document_id"] for question in QUESTIONS}
    assert first == QUESTIONS
    # Words of the question's own language may rank before the only document that answers, but none is closer in meaning.
    for question, document in CROSS_LANGUAGE.items():
        found = await kb.search(question, tenant="t")
        assert max(found, key=lambda passage: passage["similarity"] or 0)["document_id"] == document
