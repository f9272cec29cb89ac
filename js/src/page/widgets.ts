import { h } from '../dom';
import { Kernel } from './kernel';
import { PageModel } from './model';
import type { PageNotice } from './notice';
import type { WidgetOutput } from './outputs';
import type { KernelMessage } from './wire';

/** The widgets whose module needs nothing but a model and a place to stand. */
const OURS = /^lepton_lab\./;
/** A kernel that starts again has lost the widgets too. */
const ENDED = ['dead', 'restarting'];

type State = Record<string, unknown>;
interface States {
  method: string;
  states: Record<string, { state: State }>;
  buffer_paths: unknown[];
}
interface WidgetModule {
  default: { render(context: { model: PageModel; el: HTMLElement }): unknown };
}

/** A page's widgets, drawn straight from the kernel's states. */
export class Widgets {
  /** Called once, when a widget is none of ours, before anything is drawn. */
  onStrange: () => void = () => undefined;
  /** Called once, when all stand. */
  onDrawn: () => void = () => undefined;

  private readonly _outputs: WidgetOutput[];
  private readonly _notice: PageNotice;
  private readonly _models = new Map<string, PageModel>();
  private readonly _kernel: Kernel;
  private readonly _isGone: () => Promise<boolean>;
  private _control = '';

  constructor(outputs: WidgetOutput[], base: string, kernel_id: string, notice: PageNotice) {
    this._outputs = outputs;
    this._notice = notice;
    this._isGone = async () => {
      const answer = await fetch(`${base}api/kernels/${kernel_id}`, { cache: 'no-store' });
      return answer.status === 404;
    };
    this._kernel = new Kernel(base, kernel_id, {
      connected: open => (open ? this._ask() : void this._lost()),
      message: message => this._receive(message)
    });
  }

  private _ask(): void {
    this._notice.clear();
    this._control = this._kernel.requestStates();
  }

  private async _lost(): Promise<void> {
    this._notice.lost();
    if (await this._isGone().catch(() => false)) {
      this._ended();
    }
  }

  private _ended(): void {
    this._kernel.close();
    this._notice.gone();
  }

  private _receive({ header, parent_header, content, buffers }: KernelMessage): void {
    const data = content.data as State | undefined;
    const died = header.msg_type === 'status' && ENDED.includes(content.execution_state as string);
    if (died || header.msg_type === 'shutdown_reply') {
      this._ended();
    } else if (header.msg_type === 'comm_msg' && content.comm_id === this._control) {
      this._takeStates(data as unknown as States);
    } else if (header.msg_type === 'comm_msg' && data) {
      this._models.get(content.comm_id as string)?.receive(data, buffers, parent_header.msg_id);
    }
  }

  private _takeStates({ method, states, buffer_paths }: States): void {
    if (method !== 'update_states') {
      return;
    }
    const found = this._outputs.map(({ model_id }) => states[model_id]?.state);
    if (this._models.size > 0) {
      this._outputs.forEach(({ model_id }, at) => this._models.get(model_id)?.renew(found[at] ?? {}));
    } else if (buffer_paths.length > 0 || !found.every(state => OURS.test(String(state?._anywidget_id)))) {
      this._kernel.close();
      this.onStrange();
    } else {
      void this._draw(found as State[]);
    }
  }

  private async _draw(states: State[]): Promise<void> {
    const drawn = this._outputs.map(({ model_id, place }, at) => this._show(model_id, place, states[at] as State));
    try {
      await Promise.all(drawn);
    } catch (error) {
      this._notice.broken(error);
    }
    this.onDrawn();
  }

  private async _show(model_id: string, place: Element, state: State): Promise<void> {
    const model = new PageModel(state, (data, buffers) => this._kernel.sendComm(model_id, data, buffers));
    this._models.set(model_id, model);
    const module = await load(state._esm as string);
    const el = h('div', { class: 'lp-page-widget' });
    place.after(h('style', {}, state._css as string), el);
    module.default.render({ model, el });
  }
}

async function load(source: string): Promise<WidgetModule> {
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return (await import(address)) as WidgetModule;
  } finally {
    URL.revokeObjectURL(address);
  }
}
