import type { RunHistory } from '../history';
import { scoreOf } from './score';

/** A series that tables and files show: its name in the record and what it says. */
export interface Column {
  series: string;
  part: 'train' | 'val';
  metric: 'score' | 'loss';
}

/** The series of a run in the order of their columns. */
export function columnsOf(history: RunHistory): Column[] {
  const { name } = scoreOf(history.summary);
  return [
    { series: `train_${name}`, part: 'train', metric: 'score' },
    { series: `val_${name}`, part: 'val', metric: 'score' },
    { series: 'train_loss', part: 'train', metric: 'loss' },
    { series: 'val_loss', part: 'val', metric: 'loss' }
  ];
}

export interface TableRow {
  epoch: number;
  /** By the name of the series. */
  values: Partial<Record<string, number>>;
}

/** All points of a run, one row for each epoch at which some series has a value. */
export function tableRows(history: RunHistory): TableRow[] {
  const rows = new Map<number, TableRow>();
  for (const { series } of columnsOf(history)) {
    const { x, y } = history.points(series);
    for (let index = 0; index < x.length; index++) {
      const epoch = x[index] as number;
      let row = rows.get(epoch);
      if (!row) {
        row = { epoch, values: {} };
        rows.set(epoch, row);
      }
      row.values[series] = y[index] as number;
    }
  }
  return [...rows.values()].sort((a, b) => a.epoch - b.epoch);
}

/** The rows as CSV (RFC 4180 line ends), with a header line; missing values are empty. */
export function tableCsv(history: RunHistory): string {
  const names = columnsOf(history).map(column => column.series);
  const lines = tableRows(history).map(({ epoch, values }) =>
    [epoch, ...names.map(name => values[name] ?? '')].join(',')
  );
  return [['epoch', ...names].join(','), ...lines, ''].join('\r\n');
}
