import type { Link } from '../client';
import { button, h, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { failureText } from './failure';

export interface NoticeActions {
  resume(): void;
  reconnect(): void;
}

interface Notice {
  tone: 'quiet' | 'warning' | 'error';
  lines: string[];
  action: { text: string; run: () => void } | null;
}

/** The sentence about the run's state when there is something to say: waiting, failed, stopped, or no live view. */
export class NoticeBar {
  readonly element = h('div', { class: 'lp-notice', role: 'status', hidden: true });
  private readonly _locale: Locale;
  private readonly _actions: NoticeActions;
  private _shown = '';

  constructor(locale: Locale, actions: NoticeActions) {
    this._locale = locale;
    this._actions = actions;
  }

  update(summary: RunSummary, link: Link, hasPoints: boolean): void {
    const notice = noticeFor(summary, link, hasPoints, this._locale, this._actions);
    const shown = JSON.stringify([notice?.tone, notice?.lines, notice?.action?.text]);
    if (shown === this._shown) {
      return;
    }
    this._shown = shown;
    setAttribute(this.element, 'hidden', notice === null);
    setAttribute(this.element, 'data-tone', notice?.tone);
    this.element.replaceChildren(
      h('div', { class: 'lp-notice-text' }, ...(notice?.lines ?? []).map(line => h('p', {}, line))),
      ...(notice?.action ? [button(notice.action.text, notice.action.run)] : [])
    );
  }
}

/** What there is to say about a run, or null. */
export function noticeFor(
  summary: RunSummary,
  link: Link,
  hasPoints: boolean,
  locale: Locale,
  actions: NoticeActions
): Notice | null {
  if (summary.state === 'failed') {
    return failedNotice(summary, locale, actions);
  }
  if (link === 'lost') {
    const action = { text: locale.t('notice.reconnect'), run: actions.reconnect };
    return { tone: 'warning', lines: [locale.t('notice.lost')], action };
  }
  const quiet = (text: string): Notice => ({ tone: 'quiet', lines: [text], action: null });
  switch (summary.state) {
    case 'queued':
      return quiet(queuedText(summary, locale));
    case 'starting':
      return quiet((summary.message && failureText(summary, locale)) || locale.t('notice.starting'));
    case 'stopped':
      return stoppedNotice(summary, locale, actions);
    case 'running':
      return hasPoints ? null : quiet(locale.t(link === 'connecting' ? 'notice.connecting' : 'notice.waiting'));
    default:
      return hasPoints || link !== 'connecting' ? null : quiet(locale.t('notice.connecting'));
  }
}

function queuedText(summary: RunSummary, locale: Locale): string {
  const before = summary.queue_position ?? 0;
  if (before <= 0) {
    return locale.t('notice.queued');
  }
  return locale.t(before === 1 ? 'notice.queued_behind.one' : 'notice.queued_behind.many', { count: before });
}

function stoppedNotice(summary: RunSummary, locale: Locale, actions: NoticeActions): Notice {
  const text = locale.t('notice.stopped', { epoch: locale.fixed(summary.epoch ?? 0, 1) });
  return { tone: 'quiet', lines: [text], action: { text: locale.t('control.resume'), run: actions.resume } };
}

function failedNotice(summary: RunSummary, locale: Locale, actions: NoticeActions): Notice {
  const hint = locale.word('reason', summary.reason ?? 'error', '');
  const step = summary.checkpoint_step;
  const text = step ? locale.t('notice.resume_from', { step: locale.count(step) }) : locale.t('notice.resume');
  const canResume = Boolean(step) && summary.reason !== 'unreadable';
  return {
    tone: 'error',
    lines: [failureText(summary, locale) || locale.t('notice.failed'), hint].filter(Boolean),
    action: canResume ? { text, run: actions.resume } : null
  };
}
