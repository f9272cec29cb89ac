import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { API, readAnswer, type Server } from '../server';

/** The server extension by JupyterLab's own connection, which knows the login of every deployment. */
export class LabServer implements Server {
  private readonly _settings: ServerConnection.ISettings;
  private readonly _language: string;

  /** `language` is the one that errors are said in: JupyterLab's own, which need not be the browser's. */
  constructor(settings: ServerConnection.ISettings = ServerConnection.makeSettings(), language = '') {
    this._settings = settings;
    this._language = language || document.documentElement.lang || navigator.language;
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const url = URLExt.join(this._settings.baseUrl, API, path);
    const headers = { 'Accept-Language': this._language };
    const init: RequestInit = {
      method,
      cache: 'no-store',
      headers,
      body: body === undefined ? null : JSON.stringify(body)
    };
    return readAnswer(await ServerConnection.makeRequest(url, init, this._settings));
  }

  socketUrl(path: string): string {
    const url = new URL(URLExt.join(this._settings.wsUrl, API, path));
    if (this._settings.appendToken && this._settings.token) {
      url.searchParams.set('token', this._settings.token);
    }
    return url.href;
  }
}
