import type { WidgetModel } from '../src/widgets/model';

type Callback = (...values: unknown[]) => void;

/** A widget model without a kernel: keeps traits, tells listeners, remembers what was sent. */
export class FakeModel<Traits extends object> implements WidgetModel<Traits> {
  readonly sent: unknown[] = [];
  private readonly _traits: Traits;
  private readonly _listeners = new Map<string, Set<Callback>>();

  constructor(traits: Traits) {
    this._traits = { ...traits };
  }

  get<K extends keyof Traits & string>(name: K): Traits[K] {
    return this._traits[name];
  }

  set<K extends keyof Traits & string>(name: K, value: Traits[K]): void {
    this._traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {
    // nothing to save to
  }

  send(content: unknown): void {
    this.sent.push(content);
  }

  on(name: string, callback: (...values: never[]) => void): void {
    const listeners = this._listeners.get(name) ?? new Set();
    listeners.add(callback as Callback);
    this._listeners.set(name, listeners);
  }

  off(name: string, callback?: (...values: never[]) => void): void {
    this._listeners.get(name)?.delete(callback as Callback);
  }

  emit(name: string, ...values: unknown[]): void {
    for (const listener of this._listeners.get(name) ?? []) {
      listener(...values);
    }
  }
}
