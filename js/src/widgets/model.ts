/** The part of an anywidget model that is used here, typed by the traits of the Python widget. */
export interface WidgetModel<Traits extends object> {
  get<K extends keyof Traits & string>(name: K): Traits[K];
  set<K extends keyof Traits & string>(name: K, value: Traits[K]): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(name: string, callback: (...values: never[]) => void): void;
  off(name: string, callback?: (...values: never[]) => void): void;
}

/** What anywidget hands to `render`. */
export interface RenderContext<Traits extends object> {
  model: WidgetModel<Traits>;
  el: HTMLElement;
}
