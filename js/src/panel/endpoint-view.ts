import { followTheme } from '../charts/theme';
import { button, type Child, h, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import { fromHere } from '../server';
import { iconButton } from '../view/controls';
import type { EndpointChange, EndpointDetails, EndpointKey, EndpointVersion } from './endpoint-details';

/** What a person does with an endpoint. Each may fail; the host shows the sentence. */
export interface EndpointActions {
  copyUrl(url: string): void;
  stop(): void;
  start(): void;
  switchTo(version: number): void;
  revoke(key: EndpointKey): void;
  openRun(run_id: string): void;
}

type Shown = Omit<EndpointDetails, 'log'>;

/** All about one endpoint: where it answers, its versions, who asks it, what came in, what was done, its log. */
export class EndpointView {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _actions: EndpointActions;
  private readonly _unfollowTheme: () => void;
  private readonly _body = h('div', { class: 'lp-endpoint-body' });
  private readonly _log = h('pre', { class: 'lp-log', tabindex: 0 });
  private readonly _logBox: HTMLElement;
  private _drawn = '';

  constructor(locale: Locale, actions: EndpointActions) {
    this._locale = locale;
    this._actions = actions;
    setAttribute(this._log, 'aria-label', locale.t('endpoint.log'));
    this._logBox = h('details', { class: 'lp-block' }, h('summary', {}, locale.t('endpoint.log')), this._log);
    this.element = h('section', { class: 'lepton lp-endpoint', lang: locale.tag }, this._body, this._logBox);
    this._unfollowTheme = followTheme(this.element, () => undefined);
  }

  dispose(): void {
    this._unfollowTheme();
    this.element.remove();
  }

  update(details: EndpointDetails): void {
    const { log, ...rest } = details;
    if (this._log.textContent !== log) {
      const atEnd = this._log.scrollTop + this._log.clientHeight >= this._log.scrollHeight - 4;
      this._log.textContent = log;
      if (atEnd) {
        this._log.scrollTop = this._log.scrollHeight;
      }
    }
    this._logBox.hidden = log === '';
    const drawn = JSON.stringify(rest);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      setAttribute(this.element, 'aria-label', details.summary.name);
      this._redraw(rest);
    }
  }

  /** Draws anew; the button that had the focus has it again. */
  private _redraw(details: Shown): void {
    const active = document.activeElement;
    const focused = this._body.contains(active) ? active?.getAttribute('data-deed') : null;
    const { summary } = details;
    const { drift } = details;
    const warning = this._locale.told(summary) || this._locale.told({ message: drift?.warning, said: drift?.said });
    this._body.replaceChildren(
      this._title(details),
      this._address(fromHere(summary.url)),
      warning
        ? h('p', { class: 'lp-notice', 'data-tone': summary.state === 'failed' ? 'error' : 'warning' }, warning)
        : '',
      this._facts(details),
      this._block('endpoint.versions', this._versions(details)),
      this._block('endpoint.keys', this._keys(details.keys)),
      this._block('endpoint.history', this._history(details))
    );
    this._body.querySelector<HTMLElement>(`[data-deed="${focused ?? 'none'}"]`)?.focus();
  }

  private _title({ summary }: Shown): HTMLElement {
    const locale = this._locale;
    const dot = h('i', { class: 'lp-dot', 'aria-hidden': 'true' });
    const word = h('span', {}, locale.word('state', summary.state));
    const chip = h('span', { class: 'lp-chip', 'data-state': summary.state, role: 'status' }, dot, word);
    const deed =
      summary.state === 'stopped'
        ? iconButton('play', locale.t('endpoint.start'), () => this._actions.start())
        : iconButton('stop', locale.t('panel.stop_endpoint'), () => this._actions.stop());
    setAttribute(deed, 'data-deed', 'power');
    return h(
      'header',
      { class: 'lp-endpoint-top' },
      h('h3', {}, summary.name),
      chip,
      h('span', { class: 'lp-spring' }),
      deed
    );
  }

  private _address(url: string): HTMLElement {
    const copy = iconButton('copy', this._locale.t('panel.copy_url'), () => this._actions.copyUrl(`${url}/predict`));
    setAttribute(copy, 'data-deed', 'copy');
    const isWeb = /^https?:\/\//.test(url);
    const tryIt = isWeb
      ? h(
          'a',
          { class: 'lp-button', href: url, target: '_blank', rel: 'noopener noreferrer' },
          this._locale.t('endpoint.try')
        )
      : null;
    return h('div', { class: 'lp-endpoint-url' }, h('code', { tabindex: 0 }, `${url}/predict`), copy, tryIt);
  }

  private _facts({ summary, drift, processes, tls }: Shown): HTMLElement {
    const locale = this._locale;
    const pairs: [string, Child][] = [
      [locale.t('endpoint.requests'), locale.count(summary.requests ?? 0)],
      [locale.t('endpoint.p95'), summary.p95_ms ? `${locale.fixed(summary.p95_ms, 1)} ms` : '–'],
      [locale.t('endpoint.processes'), locale.count(processes)],
      [locale.t('endpoint.encrypted'), locale.t(tls ? 'endpoint.yes' : 'endpoint.no')],
      [locale.t('endpoint.drift'), this._drift(drift)]
    ];
    const cells = pairs.map(([name, value]) =>
      h('div', { class: 'lp-stat' }, h('dt', {}, name), h('dd', {}, h('b', {}, value)))
    );
    return h('dl', { class: 'lp-stats lp-endpoint-facts' }, ...cells);
  }

  /** How far what comes in lies from training, in training's spreads. */
  private _drift(drift: EndpointDetails['drift']): string {
    if (!drift || drift.inputs === undefined) {
      return this._locale.t('endpoint.drift_none', { rows: this._locale.count(drift?.rows ?? 0) });
    }
    return this._locale.t('endpoint.drift_of', { inputs: this._locale.fixed(drift.inputs, 2) });
  }

  private _versions(details: Shown): HTMLElement {
    const locale = this._locale;
    const head = ['endpoint.version', 'endpoint.run', 'endpoint.made', 'endpoint.role'] as const;
    const rows = details.versions.map(version => [
      `${version.version}${version.variant ? ` · ${version.variant}` : ''}`,
      button(version.run_id, () => this._actions.openRun(version.run_id), { class: 'lp-link' }),
      locale.moment(version.created),
      this._role(version, details)
    ]);
    return table(
      head.map(key => locale.t(key)),
      rows,
      locale.t('endpoint.versions')
    );
  }

  private _role(version: EndpointVersion, details: Shown): Child {
    const locale = this._locale;
    if (version.version === details.active_version) {
      return locale.t(details.summary.version === version.version ? 'endpoint.answers' : 'endpoint.switching');
    }
    const roles = [
      version.version === details.canary_version
        ? locale.t('endpoint.trial', { percent: locale.percent(details.canary_share) })
        : '',
      version.version === details.shadow_version ? locale.t('endpoint.shadow') : ''
    ].filter(Boolean);
    const text = locale.t('endpoint.switch');
    const switchTo = button(text, () => this._actions.switchTo(version.version), {
      class: 'lp-link',
      'data-deed': `version-${version.version}`,
      'aria-label': `${text}: ${locale.t('endpoint.version')} ${version.version}`
    });
    return h('span', {}, roles.length > 0 ? `${roles.join(', ')} · ` : '', switchTo);
  }

  private _keys(keys: EndpointKey[]): HTMLElement {
    const locale = this._locale;
    const head = ['endpoint.key', 'endpoint.made', 'endpoint.ends', 'endpoint.requests', 'endpoint.rows'] as const;
    const rows = keys.map(key => [
      h('code', {}, `${key.prefix}…`),
      locale.moment(key.created),
      this._ending(key),
      this._requests(key),
      locale.count(key.usage.rows)
    ]);
    return table(
      head.map(name => locale.t(name)),
      rows,
      locale.t('endpoint.keys')
    );
  }

  private _requests({ usage, requests_per_minute: limit }: EndpointKey): string {
    const locale = this._locale;
    const requests = locale.count(usage.requests);
    return limit ? locale.t('endpoint.per_minute', { requests, limit: locale.count(limit) }) : requests;
  }

  /** Until when a key opens the endpoint, and a button that ends it. */
  private _ending(key: EndpointKey): Child {
    const locale = this._locale;
    if (key.revoked) {
      return locale.t('endpoint.revoked', { time: locale.moment(key.revoked) });
    }
    const until = key.expires ? locale.moment(key.expires) : locale.t('endpoint.never');
    const text = locale.t('endpoint.revoke');
    const revoke = button(text, () => this._actions.revoke(key), {
      class: 'lp-link',
      'data-deed': `key-${key.id}`,
      'aria-label': `${text} ${key.prefix}…`
    });
    return key.valid ? h('span', {}, `${until} · `, revoke) : until;
  }

  private _history({ history }: Shown): HTMLElement {
    const locale = this._locale;
    const head = ['endpoint.time', 'endpoint.what', 'endpoint.version'] as const;
    const rows = history.map(change => [
      locale.moment(change.time),
      changeText(change, locale),
      locale.count(change.version)
    ]);
    return table(
      head.map(key => locale.t(key)),
      rows,
      locale.t('endpoint.history')
    );
  }

  private _block(title: Parameters<Locale['t']>[0], content: HTMLElement): HTMLElement {
    return h('section', { class: 'lp-block' }, h('h4', {}, this._locale.t(title)), content);
  }
}

/** What was changed, and how: "key: lk_1 made", "trial: 10% of the requests". */
function changeText({ what, detail = '' }: EndpointChange, locale: Locale): string {
  const [, of = '', how = detail] = /^(\S+) (made|revoked|of the requests)$/.exec(detail) ?? [];
  const said = detail && locale.word('endpoint_change.detail', how).replace('{of}', () => of);
  const word = locale.word('endpoint_change', what);
  return said ? locale.t('panel.state_told', { state: word, message: said }) : word;
}

function table(head: string[], rows: Child[][], label: string): HTMLElement {
  const heads = h('tr', {}, ...head.map(name => h('th', { scope: 'col' }, name)));
  const body = rows.map(cells => h('tr', {}, ...cells.map(cell => h('td', {}, cell))));
  return h(
    'div',
    { class: 'lp-scroll', tabindex: 0, role: 'group', 'aria-label': label },
    h('table', {}, h('thead', {}, heads), h('tbody', {}, ...body))
  );
}
