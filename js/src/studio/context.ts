import type { Locale } from '../i18n';
import type { WidgetModel } from '../widgets/model';
import type { FormValues, Step, StudioMessage, StudioTraits } from './traits';

/** What the studio's steps share: the kernel's traits, the way to it, and the language. */
export class StudioContext {
  readonly model: WidgetModel<StudioTraits>;
  readonly locale: Locale;

  constructor(model: WidgetModel<StudioTraits>, locale: Locale) {
    this.model = model;
    this.locale = locale;
    locale.learn(model.get('choices').help?.[locale.language]);
  }

  get<K extends keyof StudioTraits>(name: K): StudioTraits[K] {
    return this.model.get(name);
  }

  send(message: StudioMessage, buffers?: ArrayBuffer[]): void {
    if (buffers) {
      this.model.send(message, undefined, buffers);
    } else {
      this.model.send(message);
    }
  }

  /** Sends a section of the form, whole. */
  set(section: keyof FormValues, values: object): void {
    this.send({ type: 'set', section, values });
  }

  /** Goes to a step. */
  show(step: Step): void {
    this.model.set('step', step);
    this.model.save_changes();
  }
}

/** One of the five steps: a column of options and a view of what came of them. */
export interface StepView {
  readonly options: HTMLElement;
  readonly view: HTMLElement;
  /** Draws the traits that it shows. */
  update(): void;
  dispose?(): void;
}
