import { followTheme } from '../charts/theme';
import { h, on, setAttribute } from '../dom';
import { localeFor } from '../i18n';
import type { CurveTraits } from './curve';
import type { WidgetModel } from './model';

/** A list to choose the run in sight from; it is there where the kernel offers runs. */
export function runChooser(model: WidgetModel<CurveTraits>): { element: HTMLElement; dispose(): void } {
  const locale = localeFor(model.get('locale'));
  const select = h('select', { class: 'lp-input', 'aria-label': locale.t('monitor.choose') });
  on(select, { change: () => model.send({ type: 'choose', run_id: select.value }) });
  const none = h('p', { class: 'lp-hint' }, locale.t('monitor.none'));
  const label = h('label', { class: 'lp-chooser' }, h('span', {}, locale.t('monitor.choose')), select);
  const element = h('div', { class: 'lepton', lang: locale.tag }, label, none);
  const leaveTheme = followTheme(element, () => undefined);
  const draw = (): void => {
    const runs = model.get('runs');
    setAttribute(element, 'hidden', !runs);
    setAttribute(label, 'hidden', !runs?.length);
    setAttribute(none, 'hidden', Boolean(runs?.length));
    const options = (runs ?? []).map(({ run_id, title, state }) =>
      h('option', { value: run_id }, `${title} · ${locale.word('state', state)}`)
    );
    select.replaceChildren(...options);
    select.value = model.get('run_id');
  };
  model.on('change:runs', draw);
  model.on('change:run_id', draw);
  draw();
  return {
    element,
    dispose: () => {
      leaveTheme();
      model.off('change:runs', draw);
      model.off('change:run_id', draw);
      element.remove();
    }
  };
}
