// Sounds: from the microphone or a file to a WAV that the endpoint reads; the browser decodes, nothing leaves the page.
const LeptonSound = (() => {
  const PEAK = 0x7fff;

  // One channel, 16 bits a sample.
  function encode(samples, rate) {
    const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const text = (at, word) => { for (let i = 0; i < word.length; i++) view.setUint8(at + i, word.charCodeAt(i)); };
    text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); text(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    text(36, "data"); view.setUint32(40, 2 * samples.length, true);
    samples.forEach((value, index) => view.setInt16(44 + 2 * index, Math.max(-1, Math.min(1, value)) * PEAK, true));
    return new File([view], "sound.wav", { type: "audio/wav" });
  }

  async function toWav(blob) {
    const context = new AudioContext();
    try {
      const sound = await context.decodeAudioData(await blob.arrayBuffer());
      const mixed = new Float32Array(sound.length);
      for (let channel = 0; channel < sound.numberOfChannels; channel++) {
        sound.getChannelData(channel).forEach((value, index) => { mixed[index] += value / sound.numberOfChannels; });
      }
      return encode(mixed, sound.sampleRate);
    } finally { context.close(); }
  }

  const isWav = (file) => /\.wav$/i.test(file.name || "") || /^audio\/(x-)?wav$/.test(file.type);
  const canRecord = () => Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);

  // Starts to record; the promise gives a function that ends the recording and gives the WAV.
  async function record() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const recorder = new MediaRecorder(stream), parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const ended = new Promise((resolve) => { recorder.addEventListener("stop", resolve); });
    recorder.start();
    return async () => {
      recorder.stop();
      await ended;
      for (const track of stream.getTracks()) track.stop();
      return toWav(new Blob(parts, { type: recorder.mimeType }));
    };
  }

  return { canRecord, record, fromFile: async (file) => (isWav(file) ? file : toWav(file)) };
})();
