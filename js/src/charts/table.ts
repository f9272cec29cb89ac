import type { RunHistory } from '../history';

/** The series that tables and files show, in the order of their columns. */
export const COLUMNS = ['train_accuracy', 'val_accuracy', 'train_loss', 'val_loss'] as const;
export type Column = (typeof COLUMNS)[number];

export interface TableRow {
  epoch: number;
  values: Partial<Record<Column, number>>;
}

/** All points of a run, one row for each epoch at which some series has a value. */
export function tableRows(history: RunHistory): TableRow[] {
  const rows = new Map<number, TableRow>();
  for (const column of COLUMNS) {
    const { x, y } = history.points(column);
    for (let index = 0; index < x.length; index++) {
      const epoch = x[index] as number;
      let row = rows.get(epoch);
      if (!row) {
        row = { epoch, values: {} };
        rows.set(epoch, row);
      }
      row.values[column] = y[index] as number;
    }
  }
  return [...rows.values()].sort((a, b) => a.epoch - b.epoch);
}

/** The rows as CSV (RFC 4180 line ends), with a header line; missing values are empty. */
export function tableCsv(history: RunHistory): string {
  const lines = tableRows(history).map(({ epoch, values }) =>
    [epoch, ...COLUMNS.map(column => values[column] ?? '')].join(',')
  );
  return [['epoch', ...COLUMNS].join(','), ...lines, ''].join('\r\n');
}
