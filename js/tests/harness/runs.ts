/** Made-up runs for the harness. */

import { RunHistory } from '../../src/history';
import type { Mark, RunState, RunSummary, SamplePrediction } from '../../src/protocol';

/** Pseudo-random numbers in [0, 1) that are the same each time. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function grey(level: number): string {
  return `rgb(${level},${level},${level})`;
}

/** An 8 by 8 picture as a PNG data URL. */
export function picture(seed: number): string {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 8;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const random = noise(seed + 7);
  for (let pixel = 0; pixel < 64; pixel++) {
    const [x, y] = [pixel % 8, Math.floor(pixel / 8)];
    const ring = Math.abs(Math.hypot(x - 3.5, y - 3.5) - 2.4) < 1;
    context.fillStyle = grey(ring ? 150 + random() * 105 : random() * 40);
    context.fillRect(x, y, 1, 1);
  }
  return canvas.toDataURL('image/png');
}

const LABELS = ['Sneaker', 'Bag', 'Coat', 'Shirt', 'Dress', 'Trouser', 'Sandal', 'Pullover'];

export function samples(): SamplePrediction[] {
  return LABELS.map((truth, row) => ({
    row,
    truth,
    prediction: row === 3 || row === 7 ? 'Coat' : truth,
    confidence: 0.9,
    picture: picture(row)
  }));
}

const MARKS: Mark[] = [
  { step: 200, epoch: 5, text: 'learning rate 0.05 → 0.024', kind: 'learning_rate' },
  { step: 208, epoch: 5.2, text: 'resumed by panel', kind: 'resumed' }
];

export interface RunOptions {
  state: RunState;
  epoch: number;
  points_per_epoch?: number;
  values?: Partial<RunSummary>;
  marks?: Mark[];
}

/** A run as it stands after so many epochs of 16. */
export function history({ state, epoch, points_per_epoch = 12, values = {}, marks = MARKS }: RunOptions): RunHistory {
  const run = new RunHistory({ run_id: 'fashion-mnist-cnn-7', name: 'fashion-mnist-cnn-7', state });
  const random = noise(3);
  const curve = (at: number): number => 0.95 - 0.27 * Math.exp(-at / 2.4);
  const count = Math.round(epoch * points_per_epoch);
  const at = Float64Array.from({ length: count }, (_, index) => (index + 1) / points_per_epoch);
  run.points('train_accuracy').append(
    at,
    at.map(x => Math.min(1, curve(x) + (random() - 0.5) * 0.02))
  );
  run.points('train_loss').append(
    at,
    at.map(x => 2.2 * Math.exp(-x / 1.8) + 0.18 + (random() - 0.5) * 0.06)
  );
  const epochs = Float64Array.from({ length: Math.floor(epoch) }, (_, index) => index + 1);
  run.points('val_accuracy').append(
    epochs,
    epochs.map(x => curve(x) - 0.012)
  );
  run.points('val_loss').append(
    epochs,
    epochs.map(x => 2.0 * Math.exp(-x / 1.8) + 0.2)
  );
  const last = (name: string): number | null => {
    const { y, length } = run.points(name);
    return length ? (y[length - 1] as number) : null;
  };
  run.marks = marks.filter(mark => mark.epoch <= epoch);
  run.summary = {
    ...run.summary,
    dataset: 'fashion-mnist',
    model: 'cnn',
    device: 'cpu',
    epoch,
    epochs: 16,
    step: count,
    samples_per_second: epoch ? 18_240 : null,
    seconds_left: state === 'running' && epoch ? 41 : null,
    elapsed_seconds: epoch * 6.3,
    learning_rate: epoch ? 0.024 : null,
    train_accuracy: last('train_accuracy'),
    train_loss: last('train_loss'),
    val_accuracy: last('val_accuracy'),
    val_loss: last('val_loss'),
    best_val_accuracy: last('val_accuracy'),
    checkpoint_step: epoch ? count - 3 : null,
    restarts: 0,
    last_seq: count,
    ...values
  };
  return run;
}
