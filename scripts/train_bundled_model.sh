#!/usr/bin/env bash
# Train the bundled model from the corpora, in one go; docs/results.md shows its scores.
#
#     scripts/train_bundled_model.sh DATA OUTPUT
#
# DATA has the folders meld (with the tables of audio measurements), emorynlp, goemotions (train.tsv, dev.tsv, test.tsv)
# and xed (en-annotated.tsv, neu_en.txt), as their projects publish the files (docs/corpora.md). OUTPUT/model is the model.
# Finished steps are skipped and unfinished ones resumed, so that the same command continues after an interruption.
set -euo pipefail
data=$1 output=$2
seeds=${SEEDS:-1 2 3 4 5}
here=$(cd "$(dirname "$0")/.." && pwd)
# Twice as fast where the processor has instructions for it, and forty times as slow elsewhere.
precision=float32
grep -qE 'avx512_bf16|amx_bf16' /proc/cpuinfo && precision=bfloat16
mkdir -p "$output"

# step NAME COMMAND...: run a command that writes OUTPUT/NAME, unless it is complete.
step() {
    local name=$1
    shift
    [ -e "$output/$name.done" ] && return
    echo "== $name"
    "$@" --output "$output/$name"
    touch "$output/$name.done"
}

meld=("$data"/meld/{train,dev,test}_sent_emo.csv
    --features "audio=$data/meld/meld_train_audio_features.csv,$data/meld/meld_dev_audio_features.csv,$data/meld/meld_test_audio_features.csv"
    --normalise audio=conversation --treat-as-missing --name meld)
everyday=("$here/data/everyday.csv" --name everyday)

# 1. The text encoder: single utterances of five corpora, each with its own labels.
step meld-words sdt corpus import "${meld[@]}" --text-encoder words
step emorynlp sdt corpus import "$data"/emorynlp/*.csv --text-encoder words --name emorynlp
step goemotions sdt corpus import "$data"/goemotions/{train,dev,test}.tsv --text-encoder words --name goemotions
step xed sdt corpus import "$data"/xed/{en-annotated.tsv,neu_en.txt} --text-encoder words --name xed
step everyday-words sdt corpus import "${everyday[@]}" --text-encoder words
step encoder sdt features finetune-text "$output/meld-words" \
    --also "$output"/{emorynlp,goemotions,xed,everyday-words} --soft-labels --symbols --int8 \
    --precision "$precision" --epochs 2 --learning-rate 1e-4 --tokens 96 --resume

# 2. SDT on the conversations of MELD and EmoryNLP, everyday lines, subtitles and comments, several seeds.
encoder="$output/encoder:layers"
step meld sdt corpus import "${meld[@]}" --text-encoder "$encoder"
step everyday sdt corpus import "${everyday[@]}" --text-encoder "$encoder"
step xed-ekman sdt corpus import "$data"/xed/{en-annotated.tsv,neu_en.txt} --layout xed-ekman --name xed --text-encoder "$encoder"
step goemotions-ekman sdt corpus import "$data"/goemotions/{train,dev,test}.tsv --layout goemotions-ekman --name goemotions \
    --text-encoder "$encoder"
step friends sdt corpus import "$data"/emorynlp/*.csv --name emorynlp --text-encoder "$encoder"
step english sdt corpus join "$output"/{meld,everyday,xed-ekman,goemotions-ekman,friends} --with-dev --name english \
    --rename joyful=joy mad=anger sad=sadness scared=fear
step seeds sdt experiment "$here/recipes/english-text-audio-small.yaml" --corpus "$output/english" --seeds "${seeds// /,}" \
    --jobs "$(nproc)" --threads 1

# 3. The seed with the best score on dev, with its text encoder.
best=$(python - "$output"/seeds/*/seed-* <<'PYTHON'
import json, pathlib, sys
runs = {run: json.loads((pathlib.Path(run) / "scores.json").read_text()) for run in sys.argv[1:]}
print(max(runs, key=lambda run: runs[run]["scores"]["dev"]["fused"]["weighted_f1"]))
PYTHON
)
echo "== the model of $best"
rm -rf "$output/model"
python "$here/scripts/bundle_text_encoder.py" "$best/model" "$output/model"
