"""From a recording to a transcript: words with times, speakers, utterances."""
