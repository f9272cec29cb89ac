import { partScore } from '../charts/score';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { failureText } from '../view/failure';
import { scoreText } from '../view/words';
import type { EndpointSummary } from './board';

/** The line under a run's name: where it stands, in the words that matter in its state. */
export function runText(run: RunSummary, locale: Locale): string {
  const state = locale.word('state', run.state);
  switch (run.state) {
    case 'queued':
      return [queueText(run, locale), run.priority ? locale.t('panel.priority', { priority: run.priority }) : '']
        .filter(Boolean)
        .join(' · ');
    case 'running':
      return [epochOf(run, locale), timeLeft(run, locale)].filter(Boolean).join(' · ');
    case 'paused':
    case 'stopping':
    case 'stopped':
      return [state, run.epochs ? epochOf(run, locale) : ''].filter(Boolean).join(' · ');
    case 'finished': {
      const score = partScore(run, 'test') ?? partScore(run, 'best_val');
      return score === null ? state : locale.t('panel.score', { state, score: scoreText(score, locale) });
    }
    case 'failed':
      return run.message ? locale.t('panel.failed', { message: failureText(run, locale) }) : state;
    default:
      return state;
  }
}

function queueText(run: RunSummary, locale: Locale): string {
  const place = run.queue_position ?? 1;
  return place <= 1 ? locale.t('panel.next') : locale.t('panel.place', { place: place - 1 });
}

function epochOf(run: RunSummary, locale: Locale): string {
  const epoch = Math.ceil((run.epoch ?? 0) - 1e-9);
  return locale.t('panel.epoch_of', { epoch: Math.min(epoch, run.epochs ?? epoch), epochs: run.epochs ?? '?' });
}

function timeLeft(run: RunSummary, locale: Locale): string {
  return typeof run.seconds_left === 'number'
    ? locale.t('panel.left', { time: locale.roughDuration(run.seconds_left) })
    : '';
}

/** How far a run is, between 0 and 1. */
export function progressOf(run: RunSummary): number {
  if (run.step && run.steps_total) {
    return Math.min(1, run.step / run.steps_total);
  }
  return run.epoch && run.epochs ? Math.min(1, run.epoch / run.epochs) : 0;
}

/** The line under an endpoint's name. */
export function endpointText(endpoint: EndpointSummary, locale: Locale): string {
  if (endpoint.state !== 'ready') {
    const state = locale.word('state', endpoint.state);
    return endpoint.message ? locale.t('panel.state_told', { state, message: locale.told(endpoint) }) : state;
  }
  const note = locale.t(endpoint.requests === 1 ? 'panel.endpoint_note.one' : 'panel.endpoint_note', {
    version: endpoint.version,
    requests: locale.count(endpoint.requests ?? 0)
  });
  const p95 = endpoint.p95_ms ? locale.t('panel.p95', { milliseconds: locale.fixed(endpoint.p95_ms, 1) }) : '';
  return [note, p95].filter(Boolean).join(' · ');
}

/** A slot's name as a person says it: "cuda:1" is "GPU 1". */
export function deviceText(slot: string): string {
  const [kind = slot, number = ''] = slot.split(':');
  const name = kind === 'cuda' ? 'GPU' : kind.toUpperCase();
  return number === '' || (kind === 'cpu' && number === '0') ? name : `${name} ${number}`;
}
