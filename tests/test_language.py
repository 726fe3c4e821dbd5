from __future__ import annotations

import pytest

from sdt.language import detect_languages, foreign_language
from tests.shared import SHARED_DATA, needs_meld


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hallo, wie geht es dir? Mir geht es gut.", "de"),
        ("Ich bin so wütend!", "de"),
        ("C'est pas vrai! Tu rigoles?", "fr"),
        ("Hola, ¿qué tal? Yo muy bien, gracias.", "es"),
        ("Sono molto felice oggi.", "it"),
        ("Merhaba, nasılsın? Ben iyiyim.", "tr"),
        ("Привет, как дела?", "ru"),
        ("我很高兴。", "zh"),
        ("とても嬉しいです。", "ja"),
        ("أنا سعيد جدا", "ar"),
    ],
)
def test_another_language_is_told_by_a_sentence(text: str, code: str) -> None:
    assert foreign_language(text, ["en"]) == code
    assert foreign_language(text, ["en", code]) is None


@pytest.mark.parametrize(
    "text",
    [
        "Hi.", "Op.", "lol omg wtf", "brb gtg ttyl", "hahahaha", "ok ok ok", "meh",
        "Sup dawg, wanna chill 2nite?", "Monica Geller. Chandler Bing.",
        "gonna hafta bounce, cya l8r", "Paolo, Giovanni and Francesca are coming over",
        "Ciao bella!", "Que sera, sera, as they say.", "aww thx bby", "Damnit, damnit, damnit, damnit.",
        "idk tbh", "42",
        "Guten Tag! That is all the German I know.", "Ezel! Hey Gunther! You’re an ezel!", "",
    ],
)  # fmt: skip
def test_short_english_slang_and_names_are_not_another_language(text: str) -> None:
    assert foreign_language(text, ["en"]) is None


def test_the_languages_of_many_texts() -> None:
    english = ["I got the job, can you believe it? We have to celebrate tonight."] * 40
    german = ["Ich habe die Stelle bekommen, kannst du das glauben? Wir müssen heute feiern."] * 40
    assert detect_languages(english) == ("en",)
    assert detect_languages([*english, *german]) == ("de", "en")
    assert detect_languages([*english, german[0]]) == ("en",)
    assert detect_languages(["Hi."]) == ()
    assert detect_languages([]) == ()


@needs_meld
def test_no_english_dialogue_is_taken_for_another_language() -> None:
    from sdt.formats import read_transcript

    assert SHARED_DATA
    talks = read_transcript(SHARED_DATA / "meld" / "dev_sent_emo.csv").conversations
    texts = [" ".join(said.text or "" for said in talk.utterances) for talk in talks]
    assert len(texts) > 100
    assert [text for text in texts if foreign_language(text, ["en"])] == []
