"""A small valid file of each speech recogniser and speech service, as JSON."""

from __future__ import annotations

import json

_WORD = {"word": "Hi", "start": 0.5, "end": 0.7, "confidence": 0.9}
_SEGMENT = {"id": 0, "start": 0.5, "end": 1.25, "text": " Hi.", "words": [_WORD | {"probability": 0.9}]}
_MS = {"text": "Hi", "start": 500, "end": 700, "confidence": 0.9, "speaker": "A"}
_ITEM = {"type": "pronunciation", "start_time": "0.5", "end_time": "0.7", "id": 0, "speaker_label": "spk_0"}
_GOOGLE = {"startTime": "0.5s", "endTime": {"seconds": 0, "nanos": 7 * 10**8}, "word": "Hi", "speakerTag": 1}
_TICKS = {"offsetInTicks": 5 * 10**6, "durationInTicks": 2 * 10**6}
_TOKEN = {"text": " Hi", "offsets": {"from": 500, "to": 700}, "p": 0.9}

VALUES: dict[str, object] = {
    "whisper": {"text": "", "segments": [_SEGMENT | {"speaker": "A"}, _SEGMENT], "words": [_WORD]},
    "faster-whisper": [_SEGMENT | {"tokens": [1], "words": [[0.5, 0.7, "Hi", 0.9]]}],
    "whisper.cpp": {"transcription": [{"offsets": {"from": 500, "to": 1250}, "text": " Hi", "tokens": [_TOKEN]}]},
    "transformers": {"text": "", "chunks": [{"timestamp": [0.5, None], "text": " Hi"}]},
    "funasr": [
        {"key": "a", "text": "你好", "timestamp": [[500, 600], [600, 700]]},
        {"key": "b", "text": "", "sentence_info": [{"text": "<|SAD|>好", "start": 1, "end": 2, "spk": 0}]},
    ],
    "funasr-runtime": {"text": "", "stamp_sents": [{"text_seg": "你 好", "punc": "。", "start": "1", "end": 2}]},
    "deepgram": {
        "results": {
            "channels": [
                {"alternatives": [{"words": [_WORD | {"punctuated_word": "Hi.", "speaker": 0}]}]},
                {"alternatives": [{"paragraphs": {"paragraphs": [{"sentences": [_SEGMENT], "speaker": 1}]}}]},
            ]
        }
    },
    "assemblyai": {"audio_url": "x", "status": "completed", "words": [_MS], "utterances": [_MS | {"words": [_MS]}]},
    "aws": {
        "jobName": "j",
        "results": {
            "items": [_ITEM | {"alternatives": [{"confidence": "0.9", "content": "Hi"}]}],
            "audio_segments": [{"transcript": "Hi", "start_time": "0.5", "end_time": "0.7", "items": [0]}],
        },
    },
    "aws-calls": {"Transcript": [{"ParticipantRole": "AGENT", "Content": "Hi", "BeginOffsetMillis": 5, "Items": []}]},
    "google": {"results": [{"alternatives": [{"transcript": "Hi", "words": [_GOOGLE]}], "resultEndTime": "2s"}]},
    "google-batch": {"results": {"gs://a": {"transcript": {"results": [{"alternatives": [{"transcript": "Hi"}]}]}}}},
    "azure": {
        "recognizedPhrases": [
            {"recognitionStatus": "Success", "offset": "PT1S", "duration": "PT1M2.5S", "nBest": [{"display": "Hi"}]},
            {"channel": 1, **_TICKS, "nBest": [{"display": "Ho", "displayWords": [{"displayText": "Ho", **_TICKS}]}]},
        ]
    },
    "rev": {"monologues": [{"speaker": 0, "elements": [{"type": "text", "value": "Hi", "ts": 0.5, "end_ts": 0.7}]}]},
    "azure-detailed": {"RecognitionStatus": "Success", "Offset": 5, "Duration": 5, "NBest": [{"Display": "Hi"}]},
}  # fmt: skip
SEEDS = [json.dumps(value, ensure_ascii=False) for value in VALUES.values()]
