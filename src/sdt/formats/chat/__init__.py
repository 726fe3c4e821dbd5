"""CHAT, the transcription format of CHILDES and TalkBank.

| line                             | content                                                                          |
|----------------------------------|----------------------------------------------------------------------------------|
| `*CHI:`                          | an utterance, cleaned of codes, with its times between bullets                   |
| `%wor:`                          | its words with their times                                                       |
| `%xtxt:`                         | its text, where CHAT would read it as codes                                      |
| `%xemo:`, `%xcor:`               | the predicted emotion and its probability; the label that a reviewer chose       |
| `%xlab:`, `%xann:`, `%xrev:`     | the annotated emotion; those of annotators, as JSON; how the label was set       |
| `%xid:`, `%xfld:`                | the id; fields, as JSON                                                          |
| other dependent tiers, `%mor:`   | fields, `Utterance.extra`                                                        |
| `@Comment: CHI is NAME`          | the name of a speaker that is no code of CHAT                                    |
| other headers                    | fields of the conversation, `Conversation.extra`                                 |

Source: MacWhinney, "The CHILDES Project: Tools for Analyzing Talk, part 1: The CHAT transcription format", 2024.
"""

from sdt.formats.chat.read import read
from sdt.formats.chat.write import write
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.heads import begins

CHAT = Format(
    "chat",
    (".cha",),
    begins(r"(?:@(?:Loc|PID|Font|Window|Color).*\n)*@(?:UTF8|Begin)\b"),
    certain=True,
    exclusive=True,
    read=read,
    write=write,
    title="CHAT",
    holds=~(
        Holds.OPEN_ENDS | Holds.INSTANTS | Holds.SEVERAL | Holds.CLIPS | Holds.PROBABILITIES | Holds.BRANCHES
        | Holds.WORD_CONFIDENCES | Holds.TIERS | Holds.POINTS
    ),
    step=0.001,
)  # fmt: skip
