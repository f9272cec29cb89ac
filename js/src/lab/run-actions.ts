import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { pageTheme } from '../charts/theme';
import type { Key, Locale } from '../i18n';
import { KeptRuns, type Labels, type RunDetails, type Verification } from '../kept';
import type { RunSummary } from '../protocol';
import { postCommand, type Server } from '../server';
import { SchemaForm } from '../studio/form';
import { fieldsOf, type JsonSchema } from '../studio/schema';
import type { Values } from '../studio/traits';
import { messageOf } from '../view/controls';
import { bytesText } from '../view/readings';
import { spaceReason, verificationText } from '../view/told';

const LONGER_EPOCHS = 10;

/** What a person does with a run from the panel or its tab: asks where it must be asked, and says what came of it. */
export class RunActions {
  readonly kept: KeptRuns;
  private readonly _server: Server;
  private readonly _locale: Locale;
  private readonly _open: (run_id: string) => void;

  constructor(server: Server, locale: Locale, open: (run_id: string) => void) {
    this._server = server;
    this._locale = locale;
    this._open = open;
    this.kept = new KeptRuns(server);
  }

  /** Does it; an error is shown as its sentence. */
  attempt(work: Promise<unknown>): void {
    work.catch((error: unknown) => Notification.error(messageOf(error, this._locale), { autoClose: 8000 }));
  }

  /** Shows a run's tab. */
  open(run_id: string): void {
    this._open(run_id);
  }

  async rename(run: RunSummary): Promise<void> {
    const title = await this._ask('run.rename_title', 'run.rename_note', run, run.title ?? '');
    if (title !== null) {
      await this._label(run, { title: title.trim() || null });
    }
  }

  async tag(run: RunSummary): Promise<void> {
    const tags = await this._ask('run.tag_title', 'run.tag_note', run, (run.tags ?? []).join(' '));
    if (tags !== null) {
      await this._label(run, { tags: tags.split(/[\s,]+/).filter(Boolean) });
    }
  }

  async note(run: RunSummary): Promise<void> {
    const answer = await showDialog({
      title: this._locale.t('run.note_title', { name: run.run_id }),
      body: new NoteForm(this._locale.t('run.note_note'), run.note ?? ''),
      focusNodeSelector: 'textarea',
      buttons: [Dialog.cancelButton(), Dialog.okButton()]
    });
    if (answer.button.accept) {
      await this._label(run, { note: answer.value ?? '' });
    }
  }

  async pin(run: RunSummary): Promise<void> {
    await this._label(run, { pinned: !run.pinned });
  }

  async pinCheckpoint(run_id: string, step: number, pinned: boolean): Promise<void> {
    await this.kept.setLabels(run_id, { checkpoint: step, pinned });
  }

  async remove(run: RunSummary): Promise<void> {
    const name = run.title || run.run_id;
    const answer = await showDialog({
      title: this._locale.t('run.confirm_delete', { name }),
      body: this._locale.t(run.pinned ? 'run.delete_pinned_note' : 'run.delete_note'),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: this._locale.t('run.delete_now') })]
    });
    if (answer.button.accept) {
      await this.kept.remove(run.run_id, run.pinned === true);
    }
  }

  async priority(run: RunSummary): Promise<void> {
    const answer = await InputDialog.getNumber({
      title: this._locale.t('run.priority_title', { name: run.title || run.run_id }),
      label: this._locale.t('run.priority_note'),
      value: run.priority ?? 0
    });
    if (answer.button.accept && answer.value !== null) {
      await this.kept.queue(run.run_id, { priority: Math.round(answer.value) });
    }
  }

  async place(run: RunSummary, place: number): Promise<void> {
    await this.kept.queue(run.run_id, { place });
  }

  async checkpoint(run_id: string): Promise<void> {
    await postCommand(this._server, run_id, 'checkpoint');
    Notification.info(this._locale.t('run.checkpoint_asked', { name: run_id }), { autoClose: 3000 });
  }

  async retry(run_id: string): Promise<void> {
    await this.kept.retry(run_id);
  }

  async trainLonger(run_id: string): Promise<void> {
    const answer = await InputDialog.getNumber({
      title: this._locale.t('run.longer_title', { name: run_id }),
      label: this._locale.t('run.longer_note'),
      value: LONGER_EPOCHS
    });
    if (answer.button.accept && answer.value !== null) {
      this._open(await this.kept.trainLonger(run_id, Math.round(answer.value)));
    }
  }

  async fork(run_id: string): Promise<void> {
    const [details, schema] = await Promise.all([
      this.kept.details(run_id),
      this._server.request('GET', 'schema') as Promise<{ specs: Record<string, JsonSchema> }>
    ]);
    const form = new ForkForm(details, schema.specs.train as JsonSchema, this._locale);
    const answer = await showDialog({
      title: this._locale.t('run.fork_title', { name: run_id }),
      body: form,
      focusNodeSelector: 'select',
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: this._locale.t('run.fork_start') })]
    });
    if (answer.button.accept && answer.value) {
      this._open(await this.kept.fork(run_id, answer.value));
    }
  }

  /** Starts the proof of a finished run. */
  async verify(run_id: string): Promise<void> {
    await this.kept.verify(run_id);
  }

  /** Says what a replay has shown. */
  tellVerified(run_id: string, found: Verification): void {
    const result = verificationText(found, this._locale);
    const said = this._locale.t('verify.said', { name: run_id, result });
    if (found.state === 'done' && found.equal) {
      Notification.success(said, { autoClose: 10_000 });
    } else {
      Notification.warning(said, { autoClose: false });
    }
  }

  /** Names what could be freed; frees it when the person agrees. */
  async freeSpace(): Promise<void> {
    const plan = await this.kept.space();
    const bytes = bytesText(plan.bytes, this._locale);
    if (plan.items.length === 0) {
      Notification.info(this._locale.t('space.nothing'), { autoClose: 5000 });
      return;
    }
    const lines = plan.items.map(
      item => `${item.name}: ${bytesText(item.bytes, this._locale)} (${spaceReason(item, this._locale)})`
    );
    const body = new Widget();
    body.addClass('lp-space');
    body.node.textContent = lines.join('\n');
    const answer = await showDialog({
      title: this._locale.t('space.title', { bytes }),
      body,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: this._locale.t('space.free') })]
    });
    if (answer.button.accept) {
      const freed = bytesText(await this.kept.freeSpace(plan), this._locale);
      Notification.success(this._locale.t('space.freed', { bytes: freed }), { autoClose: 5000 });
    }
  }

  private async _label(run: RunSummary, labels: Labels): Promise<void> {
    await this.kept.setLabels(run.run_id, labels);
  }

  private async _ask(title: Key, label: Key, run: RunSummary, text: string): Promise<string | null> {
    const answer = await InputDialog.getText({
      title: this._locale.t(title, { name: run.run_id }),
      label: this._locale.t(label),
      text
    });
    return answer.button.accept ? (answer.value ?? '') : null;
  }
}

/** A text of several lines. */
class NoteForm extends Widget implements Dialog.IBodyWidget<string> {
  private readonly _text = document.createElement('textarea');

  constructor(label: string, text: string) {
    super();
    this._text.value = text;
    this._text.rows = 6;
    this._text.className = 'jp-mod-styled lp-note-text';
    this._text.setAttribute('aria-label', label);
    // Enter begins a new line here; it must not press the dialog's button.
    this._text.addEventListener('keydown', event => event.stopPropagation());
    const hint = document.createElement('label');
    hint.append(label, this._text);
    hint.className = 'lp-note-label';
    this.node.append(hint);
  }

  getValue(): string {
    return this._text.value;
  }
}

/** Which checkpoint to fork from, and the training options to change. */
class ForkForm extends Widget implements Dialog.IBodyWidget<{ step?: number; name?: string; train: Values }> {
  private readonly _step = document.createElement('select');
  private readonly _old: Values;
  private _values: Values;

  constructor(details: RunDetails, schema: JsonSchema, locale: Locale) {
    super();
    const root = document.createElement('div');
    root.className = 'lepton lp-fork';
    root.dataset.lpTheme = pageTheme();
    const fields = fieldsOf(schema, ['name']);
    this._old = Object.fromEntries(
      fields.flatMap(field => {
        const value = details.options[`train.${field.name}`];
        return value === undefined ? [] : [[field.name, value]];
      })
    ) as Values;
    this._values = this._old;
    const form = new SchemaForm('train', fields, locale, values => {
      this._values = values;
    });
    form.update(this._old);
    for (const step of [...details.checkpoints].reverse()) {
      this._step.append(new Option(locale.t('train.checkpoint_step', { step: locale.count(step) }), String(step)));
    }
    this._step.className = 'lp-input';
    const label = document.createElement('label');
    label.append(locale.t('run.fork_from'), this._step);
    label.className = 'lp-fork-step';
    root.append(label, form.element);
    this.node.append(root);
    this._defaults = Object.fromEntries(fields.map(field => [field.name, field.default])) as Values;
  }

  private readonly _defaults: Values;

  getValue(): { step?: number; train: Values } {
    const names = Object.keys(this._defaults);
    const now = (values: Values, name: string): unknown => values[name] ?? this._defaults[name] ?? null;
    const changed = names.filter(name => now(this._values, name) !== now(this._old, name));
    const train = Object.fromEntries(changed.map(name => [name, now(this._values, name)])) as Values;
    return { ...(this._step.value ? { step: Number(this._step.value) } : {}), train };
  }
}
