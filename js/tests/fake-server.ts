import type { Server } from '../src/server';

/** A server that answers from a table; what is not in it is refused. */
export class FakeServer implements Server {
  readonly asked: unknown[] = [];
  private readonly _answers: Record<string, unknown>;

  constructor(answers: Record<string, unknown> = {}) {
    this._answers = answers;
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    this.asked.push(body === undefined ? [method, path] : [method, path, body]);
    if (!(path in this._answers)) {
      throw new Error(`${path} is not there`);
    }
    return this._answers[path];
  }

  socketUrl(path: string): string {
    return `ws://server/lepton-lab/api/${path}`;
  }
}
