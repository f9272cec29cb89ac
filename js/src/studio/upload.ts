import { button, h, on } from '../dom';
import type { StudioContext } from './context';

/** A message holds this much: servers refuse messages of more than ten megabytes. */
const PIECE_BYTES = 1_000_000;
const LARGEST_BYTES = 500_000_000;

/** A button that sends a file of the person's machine to the kernel, which loads it when it is whole. */
export function uploadButton(context: StudioContext, refuse: (message: string) => void): HTMLElement {
  const { locale } = context;
  const input = h('input', {
    type: 'file',
    hidden: true,
    accept: '.csv,.tsv,.json,.jsonl,.ndjson,.parquet,.arrow,.feather,.txt,.npz,.zip',
    'aria-label': locale.t('data.upload')
  });
  on(input, {
    change: () => {
      const file = input.files?.[0];
      input.value = '';
      if (file) {
        const fits = file.size > 0 && file.size <= LARGEST_BYTES;
        refuse(fits ? '' : locale.t('data.upload_size'));
        if (fits) {
          void send(context, file);
        }
      }
    }
  });
  return h(
    'span',
    {},
    button(locale.t('data.upload'), () => input.click()),
    input
  );
}

async function send(context: StudioContext, file: File): Promise<void> {
  const { name, size: total } = file;
  for (let offset = 0; offset < total; offset += PIECE_BYTES) {
    const piece = await file.slice(offset, offset + PIECE_BYTES).arrayBuffer();
    context.send({ type: 'upload', name, total, offset }, [piece]);
  }
}
