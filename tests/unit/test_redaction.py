"""What must not leave is taken out, in Chinese and English; what only looks like it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.tracing.content import CONTENT, MOST_CHARS
from groat.tracing.redaction import is_card, is_chinese_id, redact

ID = "11010519491231002X"
CARD = "6222600260001072444"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"身份证号{ID}，谢谢", "身份证号[id]，谢谢"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ。", "身份证[id]。"),
        ("my id is 110105 19491231 002x", "my id is [id]"),
        ("SSN 078-05-1120.", "SSN [id]."),
        ("我的手机13812345678没信号", "我的手机[phone]没信号"),
        ("手机 +86 138-1234-5678", "手机 [phone]"),
        ("手机：１３８１２３４５６７８", "手机：[phone]"),
        ("座机010-62345678", "座机[phone]"),
        ("call +44 20 7946 0958 now", "call [phone] now"),
        ("call (415) 555-2671", "call [phone]"),
        ("write to Ann.Lee+shop@mail.example.co.uk!", "write to [mail]!"),
        ("邮箱是zhang_san@例子.中国，请回复", "邮箱是[mail]，请回复"),
        ("邮箱 li＠example.cn", "邮箱 [mail]"),
        (f"银行卡{CARD}的余额", "银行卡[card]的余额"),
        ("card 4111 1111 1111 1111, please", "card [card], please"),
        ("key sk-proj-abcdefghijklmnop1234 fails", "key [key] fails"),
        ("Authorization: Bearer abcdefghij.klmnopqrst", "Authorization: Bearer [key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("LTAI5tAbCdEfGhIjKlMnOpQr 是我的密钥", "[key] 是我的密钥"),
        ("我的密码是abc12345，登不上", "我的密码是[key]，登不上"),
        ("password: hunter22 does not work", "password: [key] does not work"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF", "[key]"),
    ],
)
def test_what_names_or_opens_something_is_taken_out(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111111111111112 was sent",  # no check digit
        "订单号 110105194912310021 查不到",
        "编号 11010519491331002X",  # no month
        "A refund arrives within 5 working days; 20 minutes; 1,234,567.89 dollars",
        "退款在 2026-11-26 12:30:45 到账，共 12345678.90 元",
        "version 1.2.3, port 8080, 127.0.0.1:6379",
        "How do I change my password?",
        "怎么修改密码？",
        "忘记密码时请点击登录页的链接。",
        "the order 20261126000123456 of yesterday",
        "sk-short and @handle",
        "我要买 13812 件",
        "00000000000000000",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact(f"{ID} {CARD} 13812345678 a@b.cn")
    assert redact(once) == once == "[id] [card] [phone] [mail]"


@given(st.integers(100000, 999999), st.dates(), st.integers(0, 999))
def test_every_identity_number_with_its_check_character_is_taken_out(area: int, born: object, serial: int) -> None:
    body = f"{area}{str(born).replace('-', '')}{serial:03d}"
    check = next(letter for letter in "0123456789X" if is_chinese_id(body + letter))
    assert redact(f"号码{body}{check}。") == "号码[id]。"
    others = [letter for letter in "0123456789" if letter != check]
    assert not any(is_chinese_id(body + letter) for letter in others)


@given(st.text(alphabet="0123456789", min_size=12, max_size=18).filter(lambda digits: len(set(digits)) > 1))
def test_exactly_one_check_digit_makes_a_card(digits: str) -> None:
    assert sum(is_card(digits + check) for check in "0123456789") == 1


@given(st.text(max_size=300))
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(redact(text), str)


def test_no_text_is_shown_until_content_is_on_and_a_redaction_that_fails_shows_nothing() -> None:
    assert CONTENT.shown("secret") is None
    CONTENT.allow(lambda text: text.replace("Ann", "[name]"))
    try:
        assert CONTENT.shown("Ann, 13812345678") == "[name], [phone]"
        assert CONTENT.shown("词" * (MOST_CHARS + 1)) == "词" * MOST_CHARS + "…"
        CONTENT.allow(lambda text: str(1 / 0))
        assert CONTENT.shown("Ann") == "[redaction failed: ZeroDivisionError]"
    finally:
        CONTENT.forbid()
    assert not CONTENT.is_on
