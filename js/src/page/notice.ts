import { button, h } from '../dom';

const WORDS = {
  en: {
    lost: 'The connection to the server is lost; trying again.',
    gone: 'This page has been put to rest after a long silence, or its program has ended. Runs go on.',
    broken: 'The page could not be drawn: ',
    reload: 'Load the page again'
  },
  zh: {
    lost: '与服务器的连接已断开，正在重试。',
    gone: '页面因长时间无操作已休眠，或其程序已结束。训练运行不受影响。',
    broken: '无法显示页面：',
    reload: '重新加载页面'
  }
};

/** What the page says about itself, above its widgets. */
export class PageNotice {
  private readonly _words = document.documentElement.lang.startsWith('zh') ? WORDS.zh : WORDS.en;
  private readonly _element = h('div', { class: 'lp-page-notice', role: 'status', hidden: true });

  constructor(above: Element) {
    above.before(this._element);
  }

  lost(): void {
    this._say(this._words.lost);
  }

  gone(): void {
    this._say(this._words.gone, true);
  }

  broken(error: unknown): void {
    this._say(this._words.broken + (error instanceof Error ? error.message : String(error)), true);
  }

  clear(): void {
    this._element.hidden = true;
  }

  private _say(sentence: string, reload = false): void {
    this._element.replaceChildren(sentence, ...(reload ? [button(this._words.reload, () => location.reload())] : []));
    this._element.hidden = false;
  }
}
