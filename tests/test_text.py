from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.text import decode, repair_utf8, repair_windows1252
from tests.faults import FAULTS

ENCODED = {
    "simplified Chinese": (
        "小明：我得到那份工作了！我简直不敢相信。\n小红：真的吗？太好了，我真为你高兴。\n",
        ["gb2312", "gbk", "gb18030"],
    ),
    "traditional Chinese": (
        "小明：我得到那份工作了！我簡直不敢相信。\n小紅：真的嗎？太好了，恭喜你，我真為你高興。\n",
        ["big5"],
    ),
    "Japanese": ("太郎：仕事が決まったよ！\n花子：本当に？すごい！\n", ["shift_jis", "euc_jp", "iso2022_jp"]),
    "Korean": ("철수: 나 취직했어!\n영희: 정말? 축하해!\n", ["euc_kr"]),
    "Russian": ("Анна: Я получила работу!\nБорис: Ты шутишь!\n", ["cp1251", "koi8_r", "cp866", "iso8859_5"]),
    "Greek": ("Άννα: Πήρα τη δουλειά! Δεν το πιστεύω.\nΒασίλης: Είναι υπέροχο, χαίρομαι πολύ.\n", ["cp1253"]),
    "Hebrew": (
        "חנה: קיבלתי את העבודה! אני לא מאמינה.\nבן: באמת? זה נהדר, מזל טוב, אני כל כך שמח בשבילך.\n",
        ["cp1255"],
    ),
    "Arabic": ("آنا: حصلت على الوظيفة!\nبن: حقا؟\n", ["cp1256"]),
    "Thai": ("แอน: ฉันได้งานแล้ว!\nเบน: จริงเหรอ\n", ["tis_620"]),
    "Polish": ("Ania: Dostałam tę pracę!\nŁukasz: Świetnie, gratuluję, bardzo się cieszę.\n", ["cp1250", "iso8859_2"]),
    "Turkish": ("Ann: Türkiye'de yaşıyorum, çok teşekkür ederim\nBen: İyi akşamlar!\n", ["cp1254"]),
    "short Turkish": ("Ann: Teşekkürler\nBen: Nasılsın?\n", ["cp1254"]),
    "Czech": ("Ann: Dobrý den, jak se máte?\nBen: Děkuji, jsem unavený. Přijdu večer.\n", ["cp1250"]),
    "Hungarian": ("Ann: Jó napot, hogy vagy?\nBen: Köszönöm, jól. Később jövök, jó időt!\n", ["cp1250"]),
    "Romanian": ("Ann: Bună ziua, ce mai faci?\nBen: Totul este în regulă, mulţumesc.\n", ["cp1250"]),
    "Icelandic": ("Ann: Góðan daginn, hvað segir þú?\nBen: Allt gott, þakka þér fyrir.\n", ["cp1252"]),
    "Portuguese": ("Ann: Não sei, não estou bem\nBen: Então vamos à praia amanhã. Coração.\n", ["cp1252"]),
    "Finnish": ("Ann: Hyvää päivää, mitä kuuluu?\n", ["cp1252"]),
    "short German": ("Ann: Müller\nBen: Größe\n", ["cp1252", "mac_roman"]),
    "Japanese with few words": ("アン: 仕事が決まったよ!\nベン: 本当に、すごい、おめでとう。\n", ["cp932"]),
    "French": ("Zoë: J’ai été embauchée…\nBenoît: Ça alors, c’est génial, très bien.\n", ["cp1252", "mac_roman"]),
    "German": ("JÖRG: “Ä”\nKäthe: Schön, großartig, ich freue mich — für dich.\n", ["cp1252"]),
    "English": ("Ann: I don’t believe it.\nBen: “You” are kidding… – “É”\n", ["cp1252", "mac_roman"]),
}


def test_windows1252_control_characters_become_what_they_were() -> None:
    assert repair_windows1252("It\x92s \x93here\x94 \x97 so\x85") == "It’s “here” — so…"


def test_undefined_positions_and_proper_text_stay() -> None:
    assert repair_windows1252("\x81 café – naïve’s") == "\x81 café – naïve’s"


@given(st.text(max_size=30))
def test_utf8_read_as_latin1_is_undone(text: str) -> None:
    assert repair_utf8(text.encode("utf-8").decode("latin1")) == text
    assert repair_windows1252(repair_windows1252(text)) == repair_windows1252(text)


def test_utf8_repair_leaves_latin1_text() -> None:
    assert repair_utf8("Nestl\xe9, it’s") == "Nestl\xe9, it’s"


@pytest.mark.parametrize(
    ("language", "encoding"), [(language, name) for language, (_, names) in ENCODED.items() for name in names]
)
def test_encodings_are_told_or_refused_but_never_wrong(language: str, encoding: str) -> None:
    text, _ = ENCODED[language]
    found = decode("a.txt", text.encode(encoding))
    assert found.text == text
    assert decode("a.txt", text.encode(encoding), encoding).text == text
    assert text.encode(encoding).decode(found.encoding) == text or found.encoding == "latin-1"


def test_a_short_text_that_may_be_in_several_encodings_is_refused() -> None:
    with pytest.raises(InputError, match=r"--encoding.* cp1250,"):
        decode("a.txt", "Ann: Ako sa máš? Ďakujem, dobre. Ľúbim ťa.\n".encode("cp1250"))


def test_an_ambiguous_encoding_is_refused_with_the_way_on() -> None:
    data = (FAULTS / "transcripts" / "gb.srt").read_bytes()
    with pytest.raises(InputError, match=r"gb\.srt: .*--encoding, for example cp949, gb18030"):
        decode("gb.srt", data)
    assert "你好，我得到了工作！" in decode("gb.srt", data, "gb2312").text


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("gbk2", "'gbk2' is unknown"),
        ("gbk22", "'gbk22' is unknown"),
        ("base64", "'base64' is unknown"),
        ("utf-8", "not utf-8 .byte 0xc4 in line 3"),
    ],
)
def test_an_encoding_that_does_not_fit(encoding: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode("gb.srt", (FAULTS / "transcripts" / "gb.srt").read_bytes(), encoding)


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16", "utf-8-sig"])
def test_byte_order_marks(encoding: str) -> None:
    assert decode("a.txt", "Zoë: Hé\n".encode(encoding)).text == "Zoë: Hé\n"


def test_a_sign_in_a_long_text_does_not_change_its_encoding() -> None:
    text = "Ann: I don’t know.\n" * 30 + "Ben: a²b\n"
    assert decode("a.txt", text.encode("cp1252")).text == text
