"""Small days in both languages for the tests of the ladder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

EN_DOCUMENT = (
    "Northwind was founded in 1987 by two brothers who had sold boats before. Its office moved twice within the old harbour. "
    "The warranty on every pump lasts thirty months from the day of purchase. Claims are sent by letter with the receipt. "
    "The canteen serves soup on Mondays and fish on Fridays, and guests are welcome after noon. "
    "A museum of old engines stands beside the office and is open in summer."
)
ZH_DOCUMENT = (
    "北风公司由两兄弟于一九八七年创办，他们以前卖船。公司的办公室在老港口搬过两次。每台水泵的保修期自购买之日起为三十个月。"
    "索赔须写信并附上收据。食堂周一供应汤，周五供应鱼，中午以后欢迎客人。办公室旁边有一座旧发动机博物馆，夏天开放。"
)
QUESTIONS = {"en": "How long does the warranty on a pump last?", "zh": "水泵的保修期有多长？"}
ANSWERS = {"en": "thirty months", "zh": "三十个月"}
DOCUMENTS = {"en": EN_DOCUMENT, "zh": ZH_DOCUMENT}


def said(text: str, *, ok: float = 1.0, given: int = 500, written: int = 20, **more: Any) -> dict[str, Any]:
    return {"text": text, "ok": ok, "input_tokens": given, "output_tokens": written, "latency_ms": 1000.0, **more}


def raw_row(name: str, question: str, lang: str, **more: Any) -> dict[str, Any]:
    """Return a row as a file holds it, with texts that stand for none unless others are given."""
    recorded = {"cheap": said(f"[cheap {name}]", ok=0.5), "expensive": said(f"[expensive {name}]", ok=1.0, given=500)}
    return {"id": name, "question": question, "lang": lang, "recorded": recorded, **more}


def document_row(name: str, lang: str, **more: Any) -> dict[str, Any]:
    """Return a row whose one document holds the answer."""
    documents = [{"id": "pumps", "text": DOCUMENTS[lang]}]
    return raw_row(name, QUESTIONS[lang], lang, documents=documents, answers=[ANSWERS[lang]], answer_id="warranty", **more)


def write_day(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
