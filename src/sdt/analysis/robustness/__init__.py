"""What becomes of scores when the input gets worse: missing modalities, noise, unknown speakers, wrong words."""
