import { button, h, on, setAttribute } from '../dom';
import type { StudioContext } from './context';

/** A message holds this much: servers refuse messages of more than ten megabytes. */
const PIECE_BYTES = 1_000_000;
const LARGEST_BYTES = 500_000_000;
const ENDINGS = '.csv,.tsv,.json,.jsonl,.ndjson,.parquet,.arrow,.feather,.txt,.npz,.zip';

/** Sends a file of the person's machine to the kernel, which loads it when it is whole: chosen, or dropped on a view. */
export class Upload {
  readonly input: HTMLInputElement;
  private readonly _context: StudioContext;
  private readonly _refuse: (message: string) => void;

  constructor(context: StudioContext, refuse: (message: string) => void) {
    this._context = context;
    this._refuse = refuse;
    this.input = h('input', {
      type: 'file',
      hidden: true,
      accept: ENDINGS,
      'aria-label': context.locale.t('data.upload')
    });
    on(this.input, {
      change: () => {
        const file = this.input.files?.[0];
        this.input.value = '';
        this._take(file);
      }
    });
  }

  /** A button that asks for a file. */
  button(): HTMLButtonElement {
    return button(this._context.locale.t('data.upload'), () => this.input.click());
  }

  /** Takes files that are dropped on this element; they never go on to the page around it. */
  takeDrops(target: HTMLElement): void {
    const over = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes('Files')) {
        event.preventDefault();
        event.stopPropagation();
        setAttribute(target, 'data-drop', event.type === 'dragover');
      }
    };
    on(target, {
      dragover: over,
      dragleave: over,
      drop: event => {
        over(event);
        this._take(event.dataTransfer?.files[0]);
      }
    });
  }

  private _take(file: File | undefined): void {
    if (file) {
      const fits = file.size > 0 && file.size <= LARGEST_BYTES;
      this._refuse(fits ? '' : this._context.locale.t('data.upload_size'));
      if (fits) {
        void send(this._context, file);
      }
    }
  }
}

async function send(context: StudioContext, file: File): Promise<void> {
  const { name, size: total } = file;
  for (let offset = 0; offset < total; offset += PIECE_BYTES) {
    const piece = await file.slice(offset, offset + PIECE_BYTES).arrayBuffer();
    context.send({ type: 'upload', name, total, offset }, [piece]);
  }
}
