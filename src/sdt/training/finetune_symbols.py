"""Emoji, emoticons and capitals as tokens of a text encoder, which else reads them as unknown characters or not at all.

Every emoji and emoticon becomes a token, whose vector begins as the mean of those of the words of its name ("enraged
face"); skin tones are removed. A word in capitals is preceded by `CAPITALS`, if the tokenizer lowers case. All this is
part of the tokenizer, so that prediction needs nothing else.
"""

from __future__ import annotations

from typing import Any

import torch

from sdt.errors import InputError, MissingDependencyError

CAPITALS = "↑"
"""Precedes words in capitals. It is in the vocabulary of BERT, and rare."""
SKIN_TONES = "[\U0001f3fb-\U0001f3ff]"
EMOTICONS = {
    ":)": "smiling face", ":-)": "smiling face", "(:": "smiling face", "=)": "smiling face", ":]": "smiling face",
    ":D": "laughing face", ":-D": "laughing face", "XD": "laughing face", "xD": "laughing face",
    ";)": "winking face", ";-)": "winking face", ":P": "playful face", ":-P": "playful face", ":p": "playful face",
    ":(": "sad face", ":-(": "sad face", "):": "sad face", "=(": "sad face", ":[": "sad face",
    ":'(": "crying face", ":'-(": "crying face", ";(": "crying face", "T_T": "crying face", ":')": "tears of joy",
    ":/": "worried face", ":-/": "worried face", ":|": "neutral face", ":-|": "neutral face",
    ":O": "surprised face", ":-O": "surprised face", ":o": "surprised face", "O_O": "surprised face",
    ">:(": "angry face", ">:-(": "angry face", "D:": "shocked face", "<3": "heart", "</3": "broken heart",
    "^_^": "happy face", "-_-": "annoyed face",
}  # fmt: skip


def add_symbols(tokenizer: Any, encoder: Any) -> Any:  # noqa: ANN401 - transformers has no types
    """Add the tokens to a tokenizer, and their vectors to an encoder.

    Args:
        tokenizer: A tokenizer of the library tokenizers.
        encoder: The encoder, whose table of vectors grows.

    Returns:
        The tokenizer, as a general one: transformers would make a new normaliser for one of a certain model.

    Raises:
        InputError: The tokenizer is not one of that library.
        MissingDependencyError: emoji is not installed.
    """
    try:
        import emoji
    except ImportError:
        raise MissingDependencyError("--symbols needs emoji; install it with: pip install emoji") from None
    from tokenizers import AddedToken, Regex, normalizers
    from transformers import PreTrainedTokenizerFast

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or backend.normalizer is None:
        raise InputError("--symbols: the encoder's tokenizer has no normaliser of the library tokenizers")
    names = dict(EMOTICONS)
    for symbol, about in emoji.EMOJI_DATA.items():
        # Sequences fall apart into these; the variation selector is removed as an accent is.
        if about["status"] == emoji.STATUS["fully_qualified"] and len(bare := symbol.replace("\ufe0f", "")) == 1:
            names[bare] = about["en"].strip(":").replace("_", " ")
    known = tokenizer.get_vocab()
    names = {symbol: name for symbol, name in names.items() if symbol not in known}
    pieces = [tokenizer(name, add_special_tokens=False)["input_ids"] for name in names.values()]
    # `:/` and `D:` alone; `http://` and `ID:` contain none.
    alone = {symbol for symbol in EMOTICONS if "/" in symbol or any(map(str.isalpha, symbol))}
    tokenizer.add_tokens([AddedToken(one, normalized=False, single_word=one in alone) for one in names])
    table = encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False).weight
    with torch.no_grad():
        for symbol, of in zip(names, pieces, strict=True):
            table[tokenizer.convert_tokens_to_ids(symbol)] = table[of].mean(dim=0)
    parts: list[normalizers.Normalizer] = [normalizers.Replace(Regex(SKIN_TONES), "")]
    if CAPITALS in known and backend.normalizer.normalize_str("A") == "a":
        # A marker replaces the white space before a word; a rule that only inserts makes the library fail.
        before = Regex(r"\s(?=[A-Z]{2,}(?![A-Za-z]))")
        parts += [normalizers.Prepend(" "), normalizers.Replace(before, f" {CAPITALS} ")]
    backend.normalizer = normalizers.Sequence([*parts, backend.normalizer])
    general: Any = PreTrainedTokenizerFast
    return general(tokenizer_object=backend, **tokenizer.special_tokens_map)
