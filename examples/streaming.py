"""Live conversations: every utterance is predicted when it arrives, for several conversations at a time."""

import sdt

stream = sdt.StreamingPredictor.from_pretrained(max_conversations=100)
ARRIVING = (
    ("room 1", "Ann", "I got the job!"),
    ("room 2", "Eve", "Where have you been? I was so worried."),
    ("room 1", "Ben", "You are kidding, that is wonderful!"),
    ("room 2", "Dan", "I am sorry, I missed the train."),
    ("room 1", "Ann", "They want me to start on Monday, and I am scared to death."),
)
for room, speaker, text in ARRIVING:
    prediction = stream.add(sdt.Utterance(speaker=speaker, text=text), room)
    print(f"{room}  {speaker}: {text} -> {prediction.emotion} ({prediction.probability:.0%})")
for note in stream.notes:
    print("note:", note)
stream.forget("room 1")
print("still open:", ", ".join(stream.conversations))
