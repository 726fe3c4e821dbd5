"""Feature encoders: from utterances and media to one matrix per modality."""
