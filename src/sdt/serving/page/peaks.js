/** The peaks of a recording, for its waveform. */

/** Longer recordings are not decoded in the browser: that takes all their sound in memory. */
export const LONGEST = 600;
/** Bytes: a film of ten minutes may be too large to be read. */
const MOST_BYTES = 300e6;
/** Samples per second of the decoded sound, and peaks per second. */
const [RATE, PER_SECOND] = [8000, 50];

/**
 * @param {File} file
 * @param {number} seconds Its duration.
 * @returns {Promise<Float32Array | null>} Null if it is too long or cannot be decoded.
 */
export async function peaksOf(file, seconds) {
  if (!(seconds <= LONGEST) || file.size > MOST_BYTES) return null;
  try {
    const sound = await new OfflineAudioContext(1, RATE, RATE).decodeAudioData(await file.arrayBuffer());
    const step = RATE / PER_SECOND;
    const peaks = new Float32Array(Math.ceil(sound.length / step));
    for (let channel = 0; channel < sound.numberOfChannels; channel += 1)
      sound.getChannelData(channel).forEach((sample, place) => {
        const bin = Math.floor(place / step);
        peaks[bin] = Math.max(peaks[bin], Math.abs(sample));
      });
    return peaks;
  } catch {
    return null;
  }
}
